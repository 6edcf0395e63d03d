//go:build unix

package transport

import (
	"io"
	"net"
	"os"
	"syscall"
)

// poller reads from a socket without holding a buffer while it waits: it asks the runtime's network
// poller for readiness and borrows a buffer only for the read itself.
type poller struct {
	raw syscall.RawConn
	try func(fd uintptr) bool // readNow, bound once, so that a read makes no garbage

	s    *stream
	need int
	n    int
	err  error
}

// newPoller is nil if conn has no descriptor to wait on.
func newPoller(conn net.Conn) *poller {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	p := &poller{raw: raw}
	p.try = p.readNow
	return p
}

// read waits for bytes of a frame of need bytes and puts them into s.buf after those that are there.
func (p *poller) read(s *stream, need int) (int, error) {
	p.s, p.need, p.n, p.err = s, need, 0, nil
	if err := p.raw.Read(p.try); err != nil {
		return 0, err
	}
	return p.n, p.err
}

// readNow reads what is there. False sends the runtime to wait until something is.
func (p *poller) readNow(fd uintptr) bool {
	s := p.s
	var l loan
	var into []byte
	if p.need <= chunkLen {
		l = borrowLarge()
		into = l.bytes()[s.end:]
	} else {
		s.grow(p.need)
		into = s.buf[s.end:]
	}
	n, err := readIgnoringSignals(int(fd), into)
	switch {
	case err == syscall.EAGAIN: //nolint:errorlint // straight from the system call
		l.giveBack()
		return false
	case err != nil:
		p.err = os.NewSyscallError("read", err)
	case n == 0:
		p.err = io.EOF
	case l.lent():
		p.n = n
		s.adopt(l, n)
		return true
	default:
		p.n = n
		s.end += n
		return true
	}
	l.giveBack()
	return true
}

func readIgnoringSignals(fd int, b []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, b)
		if err != syscall.EINTR {
			return n, err
		}
	}
}
