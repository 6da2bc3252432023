package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"sync"
	"time"
)

// Growth is by how much memory grew at its peak during a transfer, in bytes, of the whole process: the client and the stub
// are in it.
type Growth struct {
	Heap     int64
	Resident int64 // 0 where the system does not tell
	Took     time.Duration
}

// Download fetches an artifact of so many bytes.
func (w *World) Download(ctx context.Context, target string, by Credential, size int64) (Growth, error) {
	client := w.NewClient()
	defer client.Close()
	r, err := by.request(ctx, http.MethodGet, target+artifact(size))
	if err != nil {
		return Growth{}, err
	}
	return growth(func() error {
		answer, err := client.transport.RoundTrip(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		got, err := io.Copy(io.Discard, answer.Body)
		return complete(answer.StatusCode, got, size, err)
	})
}

// Upload stores an artifact of so many bytes. It says where it comes from, as browsers do: one credential is a cookie.
func (w *World) Upload(ctx context.Context, target string, by Credential, size int64) (Growth, error) {
	client := w.NewClient()
	defer client.Close()
	r, err := by.request(ctx, http.MethodPut, target+artifact(size))
	if err != nil {
		return Growth{}, err
	}
	r.Header.Set("Origin", target)
	r.Body, r.ContentLength = io.NopCloser(io.LimitReader(filler{}, size)), size
	before := w.stub.stored.Load()
	return growth(func() error {
		answer, err := client.transport.RoundTrip(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		return complete(answer.StatusCode, w.stub.stored.Load()-before, size, nil)
	})
}

func artifact(size int64) string {
	return artifacts + Experiment + "/" + Run + "/artifacts/" + strconv.FormatInt(size, 10)
}

func complete(status int, got, size int64, err error) error {
	if err == nil && (status != http.StatusOK || got != size) {
		err = fmt.Errorf("%d of %d bytes went through, and the answer was %d", got, size, status)
	}
	return err
}

// growth watches memory while something is done.
func growth(do func() error) (Growth, error) {
	debug.FreeOSMemory()
	heap, resident := heapInUse(), residentSet()
	peak := Growth{}
	look := func() {
		peak.Heap = max(peak.Heap, heapInUse()-heap)
		peak.Resident = max(peak.Resident, residentSet()-resident)
	}
	done := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		ticker := time.NewTicker(2 * time.Millisecond)
		defer ticker.Stop()
		for {
			look()
			select {
			case <-done:
				look()
				return
			case <-ticker.C:
			}
		}
	})
	began := time.Now()
	err := do()
	peak.Took = time.Since(began)
	close(done)
	looking.Wait()
	return peak, err
}

// heapInUse is runtime.MemStats.HeapInuse, without stopping the world.
func heapInUse() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() + samples[1].Value.Uint64())
}

// residentSet reads the process's resident memory (Linux: proc(5), statm).
func residentSet() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(text)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}
