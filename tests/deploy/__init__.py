"""What stands in ``deploy/``: read and checked here; built and run in `test_docker`."""
