package store

import (
	"slices"
	"testing"

	"hither/internal/iam"
)

// TestSpan cuts every page of short lists out of them, from both ends.
func TestSpan(t *testing.T) {
	t.Parallel()
	for total := 1; total <= 25; total++ {
		list := make([]int, total)
		for i := range list {
			list[i] = i
		}
		reversed := slices.Clone(list)
		slices.Reverse(reversed)
		for size := 1; size <= 10; size++ {
			for number := 1; (number-1)*size < total; number++ {
				page := iam.PageRequest{Number: number, Size: size}
				skip, take, backwards := span(page, total)
				if skip > total/2+size {
					t.Errorf("page %d of %d in %d: skips %d", number, size, total, skip)
				}
				from := list
				if backwards {
					from = reversed
				}
				got := slices.Clone(from[skip:min(skip+take, total)])
				slices.Sort(got)
				if want := list[page.Offset():min(page.Offset()+size, total)]; !slices.Equal(got, want) {
					t.Errorf("page %d of %d in %d: got %v, want %v", number, size, total, got, want)
				}
			}
		}
	}
}
