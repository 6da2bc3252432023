package bench

import (
	"context"
	"runtime"
	"syscall"
	"time"
)

// Usage is what a request takes of the whole process: client, target and stub together.
type Usage struct {
	Objects float64 // allocated
	Bytes   float64 // allocated
	CPU     time.Duration
}

// Usage gives what the requests to a target take, each. Unlike their latency it hardly depends on what else runs.
func (w *World) Usage(ctx context.Context, target string, by Credential, requests int) (Usage, error) {
	client := w.NewClient()
	defer client.Close()
	if _, err := client.Send(ctx, target, by, 100); err != nil {
		return Usage{}, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := processorTime()
	_, err := client.Send(ctx, target, by, requests)
	used := processorTime() - began
	runtime.ReadMemStats(&after)
	return Usage{float64(after.Mallocs-before.Mallocs) / float64(requests),
		float64(after.TotalAlloc-before.TotalAlloc) / float64(requests), used / time.Duration(requests)}, err
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // fails for a bad argument alone (getrusage(2))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
