// Command bench prints what the gateway costs beside a bare reverse proxy and no proxy.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/bench"
)

type settings struct {
	rounds   int
	requests int
	size     int64
	metrics  bool
}

func main() {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 30, "rounds of the comparison")
	flag.IntVar(&s.requests, "requests", 200, "requests in each round, to each target, with each credential")
	flag.Int64Var(&s.size, "size", 1<<30, "bytes of the artifact that is downloaded and uploaded")
	flag.BoolVar(&s.metrics, "metrics", false, "with METRICS_ADDR set")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, out io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // it is a temporary one
	var more map[string]string
	if s.metrics {
		more = map[string]string{"METRICS_ADDR": "127.0.0.1:0"}
	}
	world, err := bench.Start(ctx, folder, more)
	if err != nil {
		return err
	}
	defer func() {
		if closing := world.Close(); err == nil {
			err = closing
		}
	}()
	fmt.Fprintf(out, "%s %s/%s, %d cores, GOMAXPROCS %d. Client, stub, bare proxy and gateway share one process and loopback.\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.GOMAXPROCS(0))
	for _, part := range []func(context.Context, *bench.World, settings, *tabwriter.Writer) error{latencies, usage, costs, transfers} {
		fmt.Fprintln(out)
		table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
		if err := part(ctx, world, s, table); err != nil {
			return err
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func latencies(ctx context.Context, world *bench.World, s settings, table *tabwriter.Writer) error {
	fmt.Fprintf(table, "Latency: p50 of %d requests, paired by round, over %d rounds; ratios as min / median / max of the rounds.\n", s.requests, s.rounds)
	fmt.Fprintln(table, "credential\tat once\tdirect\tbare proxy\tgateway\tgateway ÷ bare\tbare ÷ direct\tgateway ÷ direct")
	for _, senders := range []int{1, 8} {
		measured, err := world.Measure(ctx, bench.Plan{Rounds: s.rounds, Requests: s.requests, Senders: senders})
		if err != nil {
			return err
		}
		for _, m := range measured {
			fmt.Fprintf(table, "%s\t%d\t%v\t%v\t%v\t%s\t%s\t%s\n", m.Credential.Name, senders,
				rounded(m.Direct), rounded(m.Bare), rounded(m.Gateway), spread(bench.Ratio(m.Gateway, m.Bare)),
				spread(bench.Ratio(m.Bare, m.Direct)), spread(bench.Ratio(m.Gateway, m.Direct)))
		}
	}
	return nil
}

func rounded(of []time.Duration) time.Duration { return bench.Median(of).Round(time.Microsecond) }

func spread(s bench.Spread) string { return fmt.Sprintf("%.2f / %.2f / %.2f", s.Min, s.Median, s.Max) }

func usage(ctx context.Context, world *bench.World, _ settings, table *tabwriter.Writer) error {
	const requests = 3000
	fmt.Fprintf(table, "What a request takes, over %d requests; what a direct request takes (client and stub) is taken off.\n", requests)
	fmt.Fprintln(table, "credential\tbare proxy: allocations\tCPU\tgateway: allocations\tCPU")
	for _, credential := range world.Credentials {
		var used [3]bench.Usage
		for i, target := range []string{world.Direct, world.Bare, world.Gateway} {
			var err error
			if used[i], err = world.Usage(ctx, target, credential, requests); err != nil {
				return err
			}
		}
		fmt.Fprintf(table, "%s", credential.Name)
		for _, u := range used[1:] {
			fmt.Fprintf(table, "\t%.0f (%.1f KiB)\t%v", u.Objects-used[0].Objects, (u.Bytes-used[0].Bytes)/1024, (u.CPU - used[0].CPU).Round(time.Microsecond))
		}
		fmt.Fprintln(table)
	}
	return nil
}

func costs(ctx context.Context, world *bench.World, _ settings, table *tabwriter.Writer) error {
	const idle = 4 * time.Second
	background, err := world.Idle(ctx, idle)
	if err != nil {
		return err
	}
	fmt.Fprintf(table, "Statements to the users database by warm requests, counted between two background readings of the change counter\n"+
		"(these are %.1f a second, whatever the load).\n", float64(background)/idle.Seconds())
	fmt.Fprintln(table, "credential\trequests\tstatements\tper request\tupstream calls per request")
	for _, credential := range world.Credentials {
		cost, err := world.Cost(ctx, credential, 500)
		if err != nil {
			return err
		}
		per := func(n int64) float64 { return float64(n) / float64(cost.Requests) }
		fmt.Fprintf(table, "%s\t%d\t%d\t%.3f\t%.3f\n", credential.Name, cost.Requests, cost.Statements, per(cost.Statements), per(cost.Upstream))
	}
	return nil
}

func transfers(ctx context.Context, world *bench.World, s settings, table *tabwriter.Writer) error {
	fmt.Fprintf(table, "Memory: peak growth of the whole process while an artifact of %d MiB passes.\n", s.size>>20)
	fmt.Fprintln(table, "transfer\tby way of\theap\tresident\tMiB/s")
	for _, transfer := range []struct {
		name string
		do   func(context.Context, string, bench.Credential, int64) (bench.Growth, error)
	}{{"download", world.Download}, {"upload", world.Upload}} {
		for _, target := range []struct{ name, address string }{{"no proxy", world.Direct}, {"bare proxy", world.Bare}, {"gateway", world.Gateway}} {
			grown, err := transfer.do(ctx, target.address, world.Credentials[1], s.size)
			if err != nil {
				return fmt.Errorf("%s by way of %s: %w", transfer.name, target.name, err)
			}
			const mib = 1 << 20
			fmt.Fprintf(table, "%s\t%s\t%.1f MiB\t%.1f MiB\t%.0f\n", transfer.name, target.name, float64(grown.Heap)/mib,
				float64(grown.Resident)/mib, float64(s.size)/mib/grown.Took.Seconds())
		}
	}
	return nil
}
