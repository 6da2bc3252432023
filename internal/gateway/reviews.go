package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

// excused tells whether the caller may do what a refusal says they may not, with a lower level: as the maker of the queue
// that the request names, or as one who is to review in it. To give a queue away takes the full level.
func (c *call) excused(target extract.Target, refusal error) bool {
	route := c.match.Route
	if !errs.Is(refusal, errs.Denied) && !errs.Is(refusal, errs.NotFound) {
		return false
	}
	lower := func(level kind.Level) bool {
		return level > kind.NoPermissions && c.decide(extract.Target{Ref: target.Ref, Value: target.Value, Level: level}) == nil
	}
	maker, reviewer := lower(route.Maker) && !c.givesAway(), lower(route.Reviewer)
	if !maker && !reviewer {
		return false
	}
	queue, err := c.queue(c.r.Context(), target)
	return err == nil && (maker && c.made(queue) || reviewer && c.among(queue.Users))
}

func (c *call) givesAway() bool {
	if c.read.Body == nil {
		return false
	}
	_, given := c.read.Body.Get("new_owner")
	return given
}

// queue asks MLflow for the queue that a request names, by its id or by its experiment and name.
func (c *call) queue(ctx context.Context, target extract.Target) (upstream.ReviewQueue, error) {
	if target.Ref == policy.ReviewQueue {
		return c.gateway.MLflow.ReviewQueue(ctx, target.Value)
	}
	names := c.read.Query["name"]
	if len(names) != 1 {
		return upstream.ReviewQueue{}, errs.New(errs.Invalid, "the request needs one name")
	}
	return c.gateway.MLflow.ReviewQueueByName(ctx, target.Value, names[0])
}

// made tells whether the caller owns a queue: by MLflow, once somebody gave it away, or else by what was noted here. A queue
// that is a person's own is a manager's to change, as in MLflow.
func (c *call) made(queue upstream.ReviewQueue) bool {
	if queue.Type != "CUSTOM" {
		return false
	}
	if owner := strings.TrimSpace(queue.CreatedBy); owner != "" {
		return strings.EqualFold(owner, c.subject.Username)
	}
	owner, err := c.gateway.Owners.Owner(c.r.Context(), policy.ReviewQueue.String(), queue.ID)
	return err == nil && owner == c.subject.UserID
}

// among tells whether the caller is one of a queue's users, whom MLflow keeps in lower case.
func (c *call) among(users []any) bool {
	for _, user := range users {
		if name, _ := user.(string); name != "" && strings.EqualFold(name, c.subject.Username) {
			return true
		}
	}
	return false
}

// ownReview lets nobody review in a queue whose users do not include them; who may change its users may add themselves.
func (c *call) ownReview() error {
	queue, err := c.queue(c.r.Context(), c.targets[0])
	if err == nil && !c.among(queue.Users) {
		err = errs.New(errs.Denied, "only the queue's users may review in it; you are none of them")
	}
	return err
}

// ownQueue notes who made a queue. If that cannot be stored the queue is deleted again.
func (c *call) ownQueue(ctx context.Context, answer *http.Response) error {
	body, err := readAnswer(answer, 1<<20)
	if err != nil {
		return err
	}
	var said struct {
		Queue struct {
			ID string `json:"queue_id"`
		} `json:"review_queue"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Queue.ID == "" {
		return errs.Wrap(errs.BadGateway, err, "MLflow's answer names no review queue")
	}
	if cause := c.gateway.Owners.Own(ctx, policy.ReviewQueue.String(), said.Queue.ID, c.subject.UserID); cause != nil {
		undo, _ := json.Marshal(map[string]string{"queue_id": said.Queue.ID})
		return c.undo(ctx, cause, http.MethodPost, "/api/3.0/mlflow/review-queues/delete", undo)
	}
	return nil
}

// ownCompletion lets nobody complete a review in the name of another. MLflow compares names without regard to case, and
// behind a proxy stores whichever the request gives.
func (c *call) ownCompletion() error {
	by, given, err := c.read.Body.Text("completed_by")
	if err == nil && given && !strings.EqualFold(by, c.subject.Username) {
		err = errs.New(errs.Denied, "completed_by must be your own username")
	}
	return err
}
