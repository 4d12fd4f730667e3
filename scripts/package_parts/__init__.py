"""The Debian package: wheels unpacked for a target, the units, and dpkg-deb."""
