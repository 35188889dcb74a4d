"""What the engines ask of the Linux kernel: process trees, control groups, limits on open files, mounts."""
