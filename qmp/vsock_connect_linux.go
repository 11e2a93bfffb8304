//go:build !386 && !s390x

package qmp

import "syscall"

const sysConnect = syscall.SYS_CONNECT
