package app

import "testing"

func TestWave(t *testing.T) {
	var w wave
	for i, step := range []struct {
		now  int
		over bool
	}{
		{30, false}, {30, false}, // a quiet start
		{6000, false}, {15000, false}, {15010, true}, // a wave comes, and rests
		{15020, false}, {15400, false}, {15410, false}, // what moves little is no wave
		{9000, false}, {400, false}, {390, true}, // and one goes
		{900, false}, {400, false},
	} {
		if got := w.over(step.now); got != step.over {
			t.Errorf("step %d, %d goroutines: over = %v, want %v", i, step.now, got, step.over)
		}
	}
}
