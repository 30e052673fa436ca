#!/bin/busybox sh
# The first process of a guest: mounts what a host has mounted, runs the steps that stand in /steps,
# and powers off. What a step writes to standard output goes to the second serial port, where the
# host reads it; everything else goes to the console.

/bin/busybox mkdir -p /bin /dev /proc /root /run /sys /tmp /var/lib
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root

mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tracefs tracefs /sys/kernel/tracing
mount -t securityfs securityfs /sys/kernel/security
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs -o mode=1777 tmpfs /tmp
ip link set lo up

exec 3>/dev/ttyS1
stty -F /dev/ttyS1 raw -echo

step() {
    name=$1
    shift
    echo "@@ step $name" >&3
    "$@" >&3
    code=$?
    # A line of the program's that has no end must not swallow this one.
    echo >&3
    echo "@@ exit $name $code" >&3
    return $code
}

. /steps

# Closing waits until the port has sent everything.
exec 3>&-
poweroff -f
