package sqlstore

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

func TestMembershipsForget(t *testing.T) {
	t.Parallel()
	var m memberships
	// A quarter of the memory each: the fifth and later ones push the first out,
	// unless somebody asks for it.
	large := make([]standing, rosterMemory/4)
	put := func(conv im.ConvID) { m.put(conv, &roster{version: 7, all: large}) }
	put(1)
	put(2)
	for conv := im.ConvID(10); conv < 30; conv++ {
		put(conv)
		if m.get(1, 7) == nil {
			t.Fatalf("what is asked for all the time is forgotten at %d", conv)
		}
	}
	if m.get(2, 7) != nil {
		t.Error("what nobody asked for is still there")
	}
	if n := len(m.young) + len(m.old); n > 14 {
		t.Errorf("%d rosters are kept, want about eight quarters", n)
	}
	if m.get(1, 8) != nil || m.get(1, 6) != nil {
		t.Error("a roster of another version was given")
	}
	if m.get(99, 0) != nil {
		t.Error("a roster that was never put was given")
	}
}

func TestListSizes(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 3*maxList; n++ {
		sizes := parts(n)
		sum := 0
		for _, size := range sizes {
			if size > maxList || size&(size-1) != 0 {
				t.Errorf("parts(%d) = %v: no powers of two up to %d", n, sizes, maxList)
			}
			sum += size
		}
		if sum != n || !slices.IsSortedFunc(sizes, func(a, b int) int { return b - a }) {
			t.Errorf("parts(%d) = %v", n, sizes)
		}
	}
	for n, want := range map[int]int{1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 63: 64, 64: 64} {
		if got := listSize(n); got != want {
			t.Errorf("listSize(%d) = %d, want %d", n, got, want)
		}
	}
	if d := cmp.Diff([]any{5, 6, 7, 7}, idList([]int{5, 6, 7})); d != "" {
		t.Errorf("idList (-want +got):\n%s", d)
	}
}
