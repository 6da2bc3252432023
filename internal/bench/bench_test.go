package bench_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/bench"
)

// world is a gateway as it is without more settings, watched one whose requests are counted.
var world, watched *bench.World

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "bench")
	if err == nil {
		defer os.RemoveAll(folder) //nolint:errcheck // it is a temporary one
		world, err = bench.Start(context.Background(), filepath.Join(folder, "plain"), nil)
	}
	if err == nil {
		watched, err = bench.Start(context.Background(), filepath.Join(folder, "watched"), map[string]string{"METRICS_ADDR": "127.0.0.1:0"})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the world could not be started:", err)
		return 1
	}
	code := m.Run()
	if err := errors.Join(world.Close(), watched.Close()); err != nil {
		fmt.Fprintln(os.Stderr, "the world could not be closed:", err)
		return 1
	}
	return code
}

func TestWarmRequestsCostNoStatementNoLookupAndNoCallToTheProvider(t *testing.T) {
	for name, world := range map[string]*bench.World{"": world, "counted, ": watched} {
		warmRequestsCostNothing(t, name, world)
	}
}

func warmRequestsCostNothing(t *testing.T, name string, world *bench.World) {
	for _, credential := range world.Credentials {
		t.Run(name+credential.Name, func(t *testing.T) {
			var cost bench.Cost
			for range 10 { // the events of signing in are stored a while later
				var err error
				if cost, err = world.Cost(t.Context(), credential, 100); err != nil {
					t.Fatal(err)
				}
				if cost.Statements == 0 {
					break
				}
			}
			if cost.Statements != 0 {
				t.Errorf("%d warm requests ran %d statements, want none", cost.Requests, cost.Statements)
			}
			if cost.Provider != 0 {
				t.Errorf("%d warm requests became %d requests to the provider, want none", cost.Requests, cost.Provider)
			}
			if cost.Upstream != cost.Requests {
				t.Errorf("%d warm requests became %d requests to MLflow, want as many", cost.Requests, cost.Upstream)
			}
		})
	}
}

// Counting a request takes few objects, and nothing of it is looked up by its labels.
func TestCountingCostsFewAllocations(t *testing.T) {
	const most = 8 // the one that sees the request, its context, what is told when MLflow answers
	for i, credential := range world.Credentials {
		plain, err := world.Usage(t.Context(), world.Gateway, credential, 1000)
		if err != nil {
			t.Fatal(err)
		}
		counted, err := watched.Usage(t.Context(), watched.Gateway, watched.Credentials[i], 1000)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.1f objects and %.0f bytes more", credential.Name, counted.Objects-plain.Objects, counted.Bytes-plain.Bytes)
		if more := counted.Objects - plain.Objects; more > most {
			t.Errorf("%s: %.1f objects more, want at most %d", credential.Name, more, most)
		}
	}
}

// A change makes the next request ask the database: else the count of warm requests would prove nothing.
func TestFirstRequestsAfterAChangeCostStatements(t *testing.T) {
	costs, err := world.ColdCosts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, cost := range costs {
		if cost.Statements == 0 {
			t.Errorf("%s: requests after a change ran no statement, so statements are not counted", world.Credentials[i].Name)
		}
	}
}

// An artifact that was held whole in memory, in either direction, would be 256 MiB of heap.
func TestArtifactsAreStreamed(t *testing.T) {
	const size, most = 256 << 20, 32 << 20
	for name, transfer := range map[string]func(context.Context, string, bench.Credential, int64) (bench.Growth, error){
		"download": world.Download, "upload": world.Upload,
	} {
		t.Run(name, func(t *testing.T) {
			grown, err := transfer(t.Context(), world.Gateway, world.Credentials[0], size)
			if err != nil {
				t.Fatal(err)
			}
			if grown.Heap >= most {
				t.Errorf("the heap grew by %d MiB, want less than %d", grown.Heap>>20, most>>20)
			}
		})
	}
}

func TestRatio(t *testing.T) {
	got := bench.Ratio([]time.Duration{20, 10, 90}, []time.Duration{10, 10, 30})
	if want := (bench.Spread{Min: 1, Median: 2, Max: 3}); got != want {
		t.Errorf("Ratio = %v, want %v", got, want)
	}
}

func TestMeasureGivesEveryRound(t *testing.T) {
	measured, err := world.Measure(t.Context(), bench.Plan{Rounds: 3, Requests: 8, Senders: 4})
	if err != nil {
		t.Fatal(err)
	}
	if len(measured) != 3 {
		t.Errorf("%d credentials were measured, want 3", len(measured))
	}
	for _, m := range measured {
		for name, series := range map[string][]time.Duration{"direct": m.Direct, "bare": m.Bare, "gateway": m.Gateway} {
			if len(series) != 3 || slices.Min(series) <= 0 {
				t.Errorf("%s, %s: the medians of 3 rounds are %v", m.Credential.Name, name, series)
			}
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, credential := range world.Credentials {
		for _, target := range []struct{ name, address string }{{"direct", world.Direct}, {"bare", world.Bare}, {"gateway", world.Gateway}} {
			b.Run(credential.Name+"/"+target.name, func(b *testing.B) {
				client := world.NewClient()
				defer client.Close()
				b.ReportAllocs()
				if _, err := client.Send(b.Context(), target.address, credential, b.N); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
	for _, credential := range watched.Credentials {
		b.Run(credential.Name+"/gateway, counted", func(b *testing.B) {
			client := watched.NewClient()
			defer client.Close()
			b.ReportAllocs()
			if _, err := client.Send(b.Context(), watched.Gateway, credential, b.N); err != nil {
				b.Fatal(err)
			}
		})
	}
}
