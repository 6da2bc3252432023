//go:build race

package dbtest

// Raced says that the race detector is on, with which everything takes many times as long.
const Raced = true
