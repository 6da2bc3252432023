package bench

import (
	"context"
	"slices"
	"time"
)

// Plan says how much is measured.
type Plan struct {
	Rounds   int
	Requests int // in each round, to each target, with each credential
	Senders  int // at once
}

// Latency is what one credential's requests took, by round: the median over the round's requests.
type Latency struct {
	Credential            Credential
	Direct, Bare, Gateway []time.Duration
}

// Spread is what a number was over the rounds.
type Spread struct{ Min, Median, Max float64 }

// Ratio compares two series round by round, so that what slows the machine down for a while weighs on both.
func Ratio(of, to []time.Duration) Spread {
	ratios := make([]float64, len(of))
	for i := range of {
		ratios[i] = float64(of[i]) / float64(to[i])
	}
	slices.Sort(ratios)
	return Spread{ratios[0], ratios[len(ratios)/2], ratios[len(ratios)-1]}
}

// Median gives the middle one.
func Median(of []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// Measure sends a plan's requests, and gives the latencies in the order of the world's credentials. Within a round each
// credential goes to the three targets in turn, and each round begins with another one.
func (w *World) Measure(ctx context.Context, plan Plan) ([]Latency, error) {
	client := w.NewClient()
	defer client.Close()
	measured := make([]Latency, len(w.Credentials))
	for i, credential := range w.Credentials {
		measured[i].Credential = credential
	}
	const warming = 2
	for round := range warming + plan.Rounds {
		for i := range measured {
			m := &measured[i]
			targets := []struct {
				address string
				into    *[]time.Duration
			}{{w.Direct, &m.Direct}, {w.Bare, &m.Bare}, {w.Gateway, &m.Gateway}}
			for turn := range targets {
				at := targets[(round+turn)%len(targets)]
				took, err := client.SendAtOnce(ctx, at.address, m.Credential, plan.Requests, plan.Senders)
				if err != nil {
					return nil, err
				}
				if round >= warming {
					*at.into = append(*at.into, Median(took))
				}
			}
		}
	}
	return measured, nil
}
