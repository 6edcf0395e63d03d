//go:build unix

package transport

import (
	"io"
	"net"
	"os"
	"syscall"
)

// poller reads from a socket without holding a buffer while it waits: it asks the runtime's network
// poller for readiness, takes the first few bytes into the connection itself, and borrows a buffer for
// the rest of what is there. That is one system call more than a read into a buffer borrowed on the
// way, and it keeps everything deep out of the stack that the goroutine waits on: what is called from
// within a wait is what decides whether an idle connection's stack has 2 or 4 KiB.
type poller struct {
	raw       syscall.RawConn
	wait, try func(fd uintptr) bool // readOrWait and readOrNot, bound once, so that a read makes no garbage

	into []byte
	n    int
	err  error // what the socket said last; it says so only once
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
	p.wait, p.try = p.readOrWait, p.readOrNot
	return p
}

// read waits for bytes of a frame of need bytes and puts them into s.buf after those that are there.
func (p *poller) read(s *stream, need int) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	own := need > chunkLen
	if own {
		s.grow(need)
		p.into = s.buf[s.end:]
	} else {
		p.into = s.first[:min(len(s.first), need-s.end)]
	}
	if err := p.raw.Read(p.wait); err != nil {
		return 0, err
	}
	n := p.n
	if own {
		s.end += n
	} else if n > 0 {
		p.rest(s, n)
	}
	return n, p.err
}

// rest moves the n bytes that came first into a borrowed buffer, and what else is there after them.
//
//go:noinline
func (p *poller) rest(s *stream, n int) {
	l := borrowLarge()
	b := l.bytes()
	have := copy(b, s.buf[:s.end])
	have += copy(b[have:], s.first[:n])
	if n == len(p.into) && have < len(b) {
		p.into, p.n = b[have:], 0
		// This fails on a deadline or a close, which end the next wait as well.
		_ = p.raw.Read(p.try)
		have += p.n
	}
	p.into = nil
	s.buf, s.end, s.loan = b, have, l
}

// readOrWait reads what is there. False sends the runtime to wait until something is.
func (p *poller) readOrWait(fd uintptr) bool {
	return p.readNow(fd) != syscall.EAGAIN
}

// readOrNot reads what is there, if anything is.
func (p *poller) readOrNot(fd uintptr) bool {
	_ = p.readNow(fd)
	return true
}

// readNow makes one read into into, and keeps in err what is to be told.
func (p *poller) readNow(fd uintptr) syscall.Errno {
	for {
		n, err := syscall.Read(int(fd), p.into)
		p.n = max(n, 0)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return syscall.EAGAIN
		case err != nil:
			p.err = os.NewSyscallError("read", err)
		case n == 0:
			p.err = io.EOF
		}
		return 0
	}
}
