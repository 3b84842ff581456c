#!/bin/sh
# Compiles dhess as it stands in /opt/dhess: compile.sh CPU FOLDER, FOLDER/kernels is the result.
set -eu
cpu=$1 made=$2
# numba asks whether the sources are as old as they were. An image keeps whole seconds of a file's
# time, so they get whole seconds now. Bytecode is not asked that.
for folder in /opt/dhess "$made"; do
  package=$(echo "$folder"/lib/python3*/site-packages/dhess)
  find "$package" -name '*.py' -exec touch -d @1700000000 {} +
  /opt/dhess/bin/python -m compileall -q --invalidation-mode unchecked-hash "$package"
done
export NUMBA_CPU_NAME="$cpu" NUMBA_CPU_FEATURES= NUMBA_CACHE_DIR="$made/kernels"
export MPLCONFIGDIR="$made/matplotlib"
mkdir -p "$MPLCONFIGDIR" /samples
cd /
/opt/dhess/bin/python /image/warm.py /samples
/opt/dhess/bin/python -c 'import matplotlib.font_manager'
find "$made/kernels" -name '*.lock' -delete
cp /image/*.toml /samples/
chmod -R a+rX "$made/kernels" "$made/matplotlib" /samples
