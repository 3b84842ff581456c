"""Cases drawn from a seed: whatever comes in, one sentence or a right answer comes out."""
