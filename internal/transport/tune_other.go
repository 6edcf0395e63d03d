//go:build !linux

package transport

import (
	"net"
	"time"
)

// setAckTimeout is for Linux; elsewhere the kernel decides.
func setAckTimeout(*net.TCPConn, time.Duration) {}
