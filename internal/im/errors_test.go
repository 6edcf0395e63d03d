package im_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/liao-im/liao/internal/im"
)

func TestExplain(t *testing.T) {
	inner := im.Fail(im.NotFound, "no such user")
	for _, tc := range []struct {
		name string
		err  error
		want im.Code
		text string // "" means any that is not empty
	}{
		{"an error keeps code and text through wrapping", fmt.Errorf("find: %w", inner), im.NotFound, "no such user"},
		{"a bare code has a text of its own", fmt.Errorf("x: %w", im.Forbidden), im.Forbidden, ""},
		{"a stranger is internal", errors.New("disk on fire"), im.Internal, ""},
		{"a deadline is unavailable", fmt.Errorf("x: %w", context.DeadlineExceeded), im.Unavailable, ""},
		{"a cancelled call is unavailable", context.Canceled, im.Unavailable, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := im.Explain(tc.err)
			if got.Code != tc.want || got.Text == "" || tc.text != "" && got.Text != tc.text {
				t.Errorf("Explain(%v) = %v %q, want %v %q", tc.err, got.Code, got.Text, tc.want, tc.text)
			}
			if tc.text == "" && got.Text == tc.err.Error() {
				t.Errorf("Explain(%v) shows the error's own words", tc.err)
			}
		})
	}
}

func TestEveryCodeHasNameAndText(t *testing.T) {
	seen := map[string]bool{}
	for i := range im.CodeCount {
		c := im.Code(i)
		if seen[c.String()] {
			t.Errorf("code %d shares the name %q", i, c)
		}
		seen[c.String()] = true
		if im.Explain(c).Text == "" {
			t.Errorf("code %v has no text", c)
		}
	}
	if !errors.Is(fmt.Errorf("x: %w", im.Fail(im.Conflict, "t")), im.Conflict) {
		t.Error("errors.Is does not see an Error's code")
	}
	if im.Internal.Definite() || im.Unavailable.Definite() || !im.Forbidden.Definite() {
		t.Error("Definite: want all but internal and unavailable")
	}
}
