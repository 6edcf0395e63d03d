package transport

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// deadlines joins the two limits on a read, the holder's own and the one on a frame that has begun,
// into the one deadline that a net.Conn has.
type deadlines struct {
	conn    net.Conn
	partial time.Duration

	mu       sync.Mutex
	holder   time.Time // set by SetReadDeadline; zero: none
	frame    time.Time // when the frame that has begun must be complete; zero: none has begun
	armed    time.Time // what conn has now
	finished bool      // Close was called: no read waits any more
}

func (d *deadlines) setHolder(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holder = t
	d.arm()
}

// beginFrame notes that the first byte of a frame is there. Repeated calls change nothing.
func (d *deadlines) beginFrame() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.frame.IsZero() {
		d.frame = time.Now().Add(d.partial)
		d.arm()
	}
}

// endFrame notes that the frame is complete. The deadline on conn is left until the next wait, where
// beforeWait puts it right: most frames come whole and cost no timer at all.
func (d *deadlines) endFrame() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.frame = time.Time{}
}

// beforeWait makes conn's deadline right. False means that the connection is finished.
func (d *deadlines) beforeWait() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.arm()
	return !d.finished
}

// finish makes every read return, now and from now on.
func (d *deadlines) finish() (first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	first = !d.finished
	d.finished = true
	d.set(time.Unix(1, 0))
	return first
}

func (d *deadlines) isFinished() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.finished
}

// explain turns the error of a read into what it means for the holder. Nil means that a deadline was
// moved while the read ran into it: read again.
func (d *deadlines) explain(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.finished {
		return net.ErrClosed
	}
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() {
		return err
	}
	now := time.Now()
	switch {
	case !d.holder.IsZero() && !now.Before(d.holder):
		return fmt.Errorf("read frame: %w", os.ErrDeadlineExceeded)
	case !d.frame.IsZero() && !now.Before(d.frame):
		return ErrPartial
	}
	return nil
}

func (d *deadlines) arm() {
	if d.finished {
		return
	}
	t := d.holder
	if !d.frame.IsZero() && (t.IsZero() || d.frame.Before(t)) {
		t = d.frame
	}
	if !t.Equal(d.armed) {
		d.set(t)
	}
}

func (d *deadlines) set(t time.Time) {
	d.armed = t
	// It fails only on a connection that is closed already, and then so does the read.
	_ = d.conn.SetReadDeadline(t)
}
