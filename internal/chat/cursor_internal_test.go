package chat

import (
	"testing"

	"github.com/liao-im/liao/internal/im"
)

func TestCursorComesBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]cursor{
		"zero":        {},
		"between":     {epoch: "0123456789abcdef0123456789abcdef", floor: 1_790_000_000_000_000},
		"within":      {epoch: "e", floor: -1, until: 1 << 60, pos: im.ChangePos{Moved: 1 << 61, Conv: im.MaxID}, conn: 1<<64 - 1},
		"long epoch":  {epoch: string(make([]byte, 255))},
		"any content": {epoch: "\x00\xff", floor: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseCursor(c.String())
			if err != nil || got != c {
				t.Errorf("got %+v, %v; want %+v", got, err, c)
			}
		})
	}
}

func FuzzCursor(f *testing.F) {
	for _, c := range []cursor{{}, {epoch: "e", floor: 5, until: 6, pos: im.ChangePos{Moved: 7, Conv: 8}, conn: 9}} {
		f.Add(c.String())
	}
	for _, s := range []string{"", "x", "AQ", "AQAAAAAAAAAAAA", "////", "AQAAAAAAAAAAAAAA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCursor(s)
		if err != nil {
			return
		}
		again, err := parseCursor(c.String())
		if err != nil || again != c {
			t.Errorf("%q is %+v, which comes back as %+v, %v", s, c, again, err)
		}
	})
}

func FuzzPlace(f *testing.F) {
	for _, p := range []place{{}, {im.PartFriends, im.MaxID}, {im.PartAsked, 1}} {
		f.Add(p.String())
	}
	f.Add("AAA")
	f.Add("_w")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePlace(s)
		if err != nil {
			return
		}
		again, err := parsePlace(p.String())
		if err != nil || again != p {
			t.Errorf("%q is %+v, which comes back as %+v, %v", s, p, again, err)
		}
	})
}
