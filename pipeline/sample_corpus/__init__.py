"""The pictures that ship with the package, the script that rebuilds them from Debian's openclipart packages, and
made-up photos and codes to measure with."""
