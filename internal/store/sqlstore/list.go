package sqlstore

import (
	"math/bits"
	"strings"
)

// maxList is how many rows one statement looks up or writes. Lists come in sizes
// that are powers of two, so that few different statements are ever prepared.
const maxList = 64

// listSize is the size of the list that n values are looked up in: the next power
// of two.
func listSize(n int) int {
	if n <= 1 {
		return 1
	}
	return 1 << bits.Len(uint(n-1))
}

// idList turns ids into the arguments of a list of listSize: the last is repeated,
// which changes nothing for who looks them up.
func idList[T any](ids []T) []any {
	args := make([]any, 0, listSize(len(ids)))
	for _, id := range ids {
		args = append(args, id)
	}
	for len(args) < cap(args) {
		args = append(args, args[len(args)-1])
	}
	return args
}

// parts cuts n rows that are to be written into pieces whose sizes are powers of
// two, the largest first.
func parts(n int) (sizes []int) {
	for size := maxList; n > 0; size /= 2 {
		for ; n >= size; n -= size {
			sizes = append(sizes, size)
		}
	}
	return sizes
}

// repeated is n times the same piece of a statement, with commas between.
func repeated(n int, piece string) string { return strings.Repeat(piece+", ", n-1) + piece }

// either is a condition that holds if one of n like it holds.
func either(n int, condition string) string {
	return strings.Repeat(condition+" OR ", n-1) + condition
}
