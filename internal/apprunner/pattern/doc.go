// Package pattern holds texts against regular expressions that are compiled when the first text comes.
//
// All processes of an installation are one program, and each needs few of its patterns: compiled at the start, they cost every process up to
// 60 KB each for as long as it runs.
package pattern
