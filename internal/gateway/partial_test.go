package gateway_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestStopMLflowsParser sends a member of a wrong type in front of the ids. MLflow's handlers go on with what protobuf's
// parser has read until there, and a search without an experiment is one of all.
func TestStopMLflowsParser(t *testing.T) {
	s := newScene(t)
	search := "/api/3.0/mlflow/datasets/search"
	for name, body := range map[string]string{
		"a number in a list of texts":             `{"order_by": [5], "experiment_ids": ["OWN"]}`,
		"a number for a text, in protobuf's name": `{"filterString": 5, "experiment_ids": ["OWN"]}`,
		"an object for a number":                  `{"maxResults": {}, "experimentIds": ["OWN"]}`,
		"null in a list":                          `{"order_by": [null], "experiment_ids": ["OWN"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			body := strings.ReplaceAll(body, "OWN", s.thiefs.Experiment)
			if bare := string(s.bare(t, http.MethodPost, search, body)); !strings.Contains(bare, s.victims.Dataset) {
				t.Errorf("MLflow itself answers %s, which is no attack", bare)
			}
			got := s.thief.Do(t, http.MethodPost, search, body)
			if strings.Contains(string(got.Body), s.victims.Dataset) || got.Status == http.StatusOK && !strings.Contains(string(got.Body), s.thiefs.Dataset) {
				t.Errorf("answered %d %s", got.Status, got.Body)
			}
		})
	}
}
