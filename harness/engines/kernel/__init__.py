"""What the kernel tells and does: process trees, control groups, open files, disks."""
