// Package spell finds the word that was probably meant by one that is not known: a setting, a key, a variable.
package spell

import "strings"

// Nearest is the known word that differs least from word, and "" when none is near enough to be meant. Case and how words are joined
// (api-addr, api_addr, apiAddr) make no difference.
func Nearest(word string, known []string) string {
	plain := fold(word)
	best, least := "", len(plain)/4+2
	for _, k := range known {
		if d := distance(plain, fold(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// fold leaves what makes a difference.
func fold(word string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(word))
}

// distance is how many letters have to be put in, taken away, changed or swapped with their neighbour to turn a into b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
