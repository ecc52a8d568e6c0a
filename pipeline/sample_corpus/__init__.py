"""The pictures that ship with the package, and the script that rebuilds them from Debian's openclipart packages."""
