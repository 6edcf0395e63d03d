//go:build !unix

package transport

import "net"

// poller is for systems whose sockets can be polled without a buffer; here every read waits in one.
type poller struct{}

func newPoller(net.Conn) *poller { return nil }

func (*poller) read(*stream, int) (int, error) { return 0, net.ErrClosed }
