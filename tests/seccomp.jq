# The seccomp profile of podman and docker (containers-common's seccomp.json) as the `linux.seccomp` of a config.json:
# what a manager does before it calls a runtime, here for amd64 and the default capabilities.
["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP",
 "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP"] as $capabilities
| ["amd64", "x86", "x32"] as $arches
| {
    defaultAction, defaultErrnoRet,
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    syscalls: [.syscalls[]
        | select((.includes.caps // []) - $capabilities == [])
        | select((.excludes.caps // []) as $c | $c - $capabilities == $c)
        | select(.includes.arches == null or (.includes.arches - $arches) != .includes.arches)
        | select((.excludes.arches // []) as $a | $a - $arches == $a)
        | {names, action}
          + (if .errnoRet != null then {errnoRet} else {} end)
          + (if (.args // []) != [] then {args} else {} end)]
  }
| del(.. | nulls)
