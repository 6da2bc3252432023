//go:build !race

package dbtest

// Raced says that the race detector is off.
const Raced = false
