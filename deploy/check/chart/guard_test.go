package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestChartRefusesWhatWouldNotWork(t *testing.T) {
	for _, c := range []struct {
		says   string
		values map[string]any
	}{
		{"several gateways cannot share SQLite", change(valuesOf(t, "small"), 2, "replicaCount")},
		{"several gateways cannot share SQLite", change(valuesOf(t, "small"), true, "autoscaling", "enabled")},
		{"several gateways cannot share sessions in files", change(change(valuesOf(t, "ha"), "filesystem", "settings", "SESSION_TYPE"), false, "autoscaling", "enabled")},
		{"image.repository is not set", change(valuesOf(t, "small"), "", "image", "repository")},
		{"existingSecret.name is not set", change(valuesOf(t, "small"), "", "existingSecret", "name")},
		{"set either mlflow.upstream", change(valuesOf(t, "small"), "http://mlflow:5000", "mlflow", "upstream")},
		{"set either mlflow.upstream", change(valuesOf(t, "ha"), "", "mlflow", "upstream")},
		{"mlflow.image.repository is not set", change(valuesOf(t, "small"), "", "mlflow", "image", "repository")},
		{"would be gone with its pod", change(valuesOf(t, "small"), false, "mlflow", "persistence", "enabled")},
		{"ingress.host is not set", change(valuesOf(t, "small"), "", "ingress", "host")},
		{"is in settings and in existingSecret.keys", change(valuesOf(t, "ha"), "postgresql://db/auth", "settings", "OIDC_USERS_DB_URI")},
		{"OIDC_USERS_DB_URI has a password", change(valuesOf(t, "small"), "postgresql://gateway:hunter2@db/auth", "settings", "OIDC_USERS_DB_URI")},
		{"OIDC_USERS_DB_URI has a password", change(valuesOf(t, "small"), "postgresql://gateway:hunter/2@db/auth", "settings", "OIDC_USERS_DB_URI")},
		{"OIDC_USERS_DB_URI has a password", change(valuesOf(t, "small"), "postgresql://:hunter:2@db/auth", "settings", "OIDC_USERS_DB_URI")},
		{"are of pods in the namespace ml, where mlflow.other.svc is not", change(valuesOf(t, "ha"), "http://mlflow.other.svc:5000", "mlflow", "upstream")},
		{"where mlflow-0.mlflow.other.svc.cluster.local is not", change(valuesOf(t, "ha"), "http://mlflow-0.mlflow.other.svc.cluster.local:5000", "mlflow", "upstream")},
		{"where ml.other.svc is not", change(valuesOf(t, "ha"), "http://ml.other.svc:5000", "mlflow", "upstream")},
		{"where mlflow.example.com is not", change(valuesOf(t, "ha"), "https://mlflow.example.com", "mlflow", "upstream")},
		{"metricsFrom is not set", change(valuesOf(t, "ha"), []any{}, "networkPolicy", "gateway", "metricsFrom")},
		{"terminationGracePeriodSeconds is less than", change(valuesOf(t, "small"), 600.0, "settings", "SHUTDOWN_GRACE_SECONDS")},
	} {
		if _, _, err := Render(dir, c.values); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("where it should say %q: %v", c.says, err)
		}
	}
}

func TestChartTakesWhatWorks(t *testing.T) {
	for name, values := range map[string]map[string]any{
		"a database without a password":    change(valuesOf(t, "small"), "postgresql://gateway@db:5432/auth", "settings", "OIDC_USERS_DB_URI"),
		"a database at a port":             change(valuesOf(t, "small"), "postgresql://db:5432/auth", "settings", "OIDC_USERS_DB_URI"),
		"MLflow by its namespace":          change(valuesOf(t, "ha"), "http://mlflow.ml:5000", "mlflow", "upstream"),
		"MLflow by the whole name":         change(valuesOf(t, "ha"), "http://mlflow.ml.svc.cluster.local:5000", "mlflow", "upstream"),
		"a pod of a StatefulSet":           change(valuesOf(t, "ha"), "http://mlflow-0.mlflow.ml.svc:5000", "mlflow", "upstream"),
		"MLflow by its address":            change(valuesOf(t, "ha"), "http://10.96.0.7:5000", "mlflow", "upstream"),
		"MLflow by its address, version 6": change(valuesOf(t, "ha"), "http://[fd00::7]:5000", "mlflow", "upstream"),
		"MLflow elsewhere, without labels": change(change(valuesOf(t, "ha"), "http://mlflow.other.svc:5000", "mlflow", "upstream"), map[string]any{}, "networkPolicy", "mlflow", "podLabels"),
		"MLflow elsewhere, no policies":    change(change(valuesOf(t, "ha"), "http://mlflow.other.svc:5000", "mlflow", "upstream"), false, "networkPolicy", "enabled"),
	} {
		if _, _, err := Render(dir, values); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSchemaRefusesWhatNobodyMeans(t *testing.T) {
	for name, values := range map[string]map[string]any{
		"a setting with a wrong name":       change(valuesOf(t, "small"), "x", "settings", "OIDC_CLIENTID"),
		"a secret among the settings":       change(valuesOf(t, "small"), "hunter2", "settings", "SECRET_KEY"),
		"a password among the settings":     change(valuesOf(t, "ha"), "hunter2", "settings", "REDIS_PASSWORD"),
		"what the chart says itself":        change(valuesOf(t, "small"), "http://elsewhere:5000", "settings", "MLFLOW_UPSTREAM"),
		"a secret that the chart goes by":   change(valuesOf(t, "small"), []any{"SECRET_KEY", "SESSION_TYPE"}, "existingSecret", "keys"),
		"a certificate among the secrets":   change(valuesOf(t, "small"), []any{"SECRET_KEY", "TLS_CERT_FILE"}, "existingSecret", "keys"),
		"an address among the secrets":      change(valuesOf(t, "small"), []any{"SECRET_KEY", "PUBLIC_URL"}, "existingSecret", "keys"),
		"a secret that is no setting":       change(valuesOf(t, "small"), []any{"SECRET_KEYS"}, "existingSecret", "keys"),
		"a value with a wrong name":         change(valuesOf(t, "small"), 2, "replicas"),
		"a value with a wrong name, deeper": change(valuesOf(t, "small"), true, "mlflow", "enabled"),
		"a wrong type":                      change(valuesOf(t, "small"), "2", "replicaCount"),
		"a setting that is a list":          change(valuesOf(t, "small"), []any{"mlflow"}, "settings", "OIDC_GROUP_NAME"),
		"a digest that is none":             change(valuesOf(t, "small"), "latest", "image", "digest"),
	} {
		if _, _, err := Render(dir, values); err == nil || !strings.Contains(err.Error(), "don't meet the specifications of the schema") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The attack: read a secret where only the right to see deployments, or what Helm keeps of a release, is needed.
func TestSecretsAreNamedAndNotHeld(t *testing.T) {
	for _, file := range []string{"small", "ha", "workspaces"} {
		for _, o := range render(t, valuesOf(t, file)) {
			if kind := o["kind"]; kind == "Secret" || kind == "ConfigMap" {
				t.Errorf("%s makes a %s", file, kind)
			}
		}
	}
	plain, secret := env(one(t, render(t, valuesOf(t, "ha")), "Deployment", "mlflow-mlflow-oidc-auth"))
	for _, name := range []string{"SECRET_KEY", "OIDC_CLIENT_SECRET", "OIDC_USERS_DB_URI", "REDIS_PASSWORD"} {
		if secret[name] != "mlflow-oidc-auth/"+name || plain[name] != "" {
			t.Errorf("%s is taken from %q, and is %q", name, secret[name], plain[name])
		}
	}
	if len(secret) != 4 {
		t.Errorf("from secrets come %v", secret)
	}
}

func TestSettingsBecomeTheEnvironmentAsTheyAreWritten(t *testing.T) {
	for file, want := range map[string]map[string]string{
		"small": {"LISTEN_ADDR": ":8080", "METRICS_ADDR": ":9464", "MLFLOW_UPSTREAM": "http://mlflow-mlflow-oidc-auth-mlflow:5000", "PUBLIC_URL": "https://mlflow.example.com",
			"OIDC_USERS_DB_URI": "sqlite:////var/lib/mlflow-oidc-auth/auth.db", "SESSION_FILE_DIR": "/var/lib/mlflow-oidc-auth/sessions", "OIDC_GROUP_NAME": "mlflow"},
		"ha": {"MLFLOW_UPSTREAM": "http://mlflow:5000", "MAX_FILTERED_BODY_BYTES": "134217728", "OIDC_USE_REFRESH_TOKEN": "true", "OIDC_DB_POOL_SIZE": "10",
			"SESSION_TYPE": "redis", "SESSION_FILE_DIR": ""},
		"workspaces": {"MLFLOW_ENABLE_WORKSPACES": "true", "SESSION_TYPE": "database", "SESSION_FILE_DIR": ""},
	} {
		plain, _ := env(one(t, render(t, valuesOf(t, file)), "Deployment", "mlflow-mlflow-oidc-auth"))
		for name, value := range want {
			if plain[name] != value {
				t.Errorf("%s: %s is %q, want %q", file, name, plain[name], value)
			}
		}
	}
	mlflow, _ := env(one(t, render(t, valuesOf(t, "workspaces")), "Deployment", "mlflow-mlflow-oidc-auth-mlflow"))
	if mlflow["MLFLOW_ENABLE_WORKSPACES"] != "true" || mlflow["MLFLOW_SERVER_ALLOWED_HOSTS"] != "mlflow-mlflow-oidc-auth-mlflow:5000,0.0.0.0:5000" {
		t.Errorf("MLflow's environment is %v", mlflow)
	}
	without, _ := env(one(t, render(t, change(valuesOf(t, "small"), false, "metrics", "enabled")), "Deployment", "mlflow-mlflow-oidc-auth"))
	if _, there := without["METRICS_ADDR"]; there {
		t.Error("METRICS_ADDR is set where metrics are off")
	}
}

// The attack: reach MLflow past the gateway, from another pod or from outside.
func TestOnlyTheGatewayReachesMLflow(t *testing.T) {
	for file, selects := range map[string]map[string]any{
		"small": {"app.kubernetes.io/name": "mlflow-oidc-auth", "app.kubernetes.io/instance": "mlflow", "app.kubernetes.io/component": "mlflow"},
		"ha":    {"app": "mlflow"},
	} {
		objects := render(t, valuesOf(t, file))
		policy := one(t, objects, "NetworkPolicy", "mlflow-mlflow-oidc-auth-mlflow")
		if got := At(policy, "spec", "podSelector", "matchLabels"); fmt.Sprint(got) != fmt.Sprint(selects) {
			t.Errorf("%s: the policy is about %v", file, got)
		}
		gateway := At(one(t, objects, "Deployment", "mlflow-mlflow-oidc-auth"), "spec", "selector", "matchLabels")
		rules, _ := At(policy, "spec", "ingress").([]any)
		from, _ := At(policy, "spec", "ingress", 0, "from").([]any)
		if len(rules) != 1 || len(from) != 1 || fmt.Sprint(At(from[0], "podSelector", "matchLabels")) != fmt.Sprint(gateway) || At(from[0], "namespaceSelector") != nil {
			t.Errorf("%s: the policy lets through %v", file, rules)
		}
		for _, o := range objects {
			if o["kind"] == "Ingress" && fmt.Sprint(At(o, "spec", "rules", 0, "http", "paths", 0, "backend", "service")) != "map[name:mlflow-mlflow-oidc-auth port:map[name:http]]" {
				t.Errorf("%s: the ingress leads to %v", file, At(o, "spec", "rules"))
			}
			if o["kind"] == "Service" && o.Name() == "mlflow-mlflow-oidc-auth-mlflow" && At(o, "spec", "type") != "ClusterIP" {
				t.Errorf("%s: MLflow's service is a %v", file, At(o, "spec", "type"))
			}
		}
	}
}

// What the profile "restricted" of the Pod Security Standards asks for, and that nothing is written beside the volumes.
func TestPodsAreRestricted(t *testing.T) {
	for _, file := range []string{"small", "ha", "workspaces"} {
		for _, o := range render(t, valuesOf(t, file)) {
			if o["kind"] != "Deployment" {
				continue
			}
			pod := At(o, "spec", "template", "spec")
			if At(pod, "securityContext", "runAsNonRoot") != true || Text(pod, "securityContext", "seccompProfile", "type") != "RuntimeDefault" || At(pod, "automountServiceAccountToken") != false {
				t.Errorf("%s: the pods of %s have %v", file, o.Name(), At(pod, "securityContext"))
			}
			containers, _ := At(pod, "containers").([]any)
			for _, container := range containers {
				c := At(container, "securityContext")
				if At(c, "readOnlyRootFilesystem") != true || At(c, "allowPrivilegeEscalation") != false || fmt.Sprint(At(c, "capabilities", "drop")) != "[ALL]" {
					t.Errorf("%s: the container of %s has %v", file, o.Name(), c)
				}
			}
		}
	}
}

func TestMetricsAreNotAtThePortOfPeople(t *testing.T) {
	objects := render(t, valuesOf(t, "ha"))
	ports, _ := At(one(t, objects, "Service", "mlflow-mlflow-oidc-auth"), "spec", "ports").([]any)
	if len(ports) != 1 || Text(ports[0], "targetPort") != "http" {
		t.Errorf("the service of people has %v", ports)
	}
	metrics, monitor := one(t, objects, "Service", "mlflow-mlflow-oidc-auth-metrics"), one(t, objects, "ServiceMonitor", "mlflow-mlflow-oidc-auth")
	labels, _ := At(metrics, "metadata", "labels").(map[string]any)
	selected, _ := At(monitor, "spec", "selector", "matchLabels").(map[string]any)
	for key, value := range selected {
		if labels[key] != value {
			t.Errorf("the monitor selects %s=%v, and the service has %v", key, value, labels[key])
		}
	}
	if Text(monitor, "spec", "endpoints", 0, "port") != Text(metrics, "spec", "ports", 0, "name") || len(selected) < 4 {
		t.Errorf("the monitor reads %v", At(monitor, "spec"))
	}
}

// By the job alone it is noticed that nothing is told any more.
func TestAlertsAreAboutTheJobOfTheMonitor(t *testing.T) {
	alerts, err := os.ReadFile(filepath.Join(dir, "..", "..", "prometheus", "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range []map[string]any{valuesOf(t, "ha"), change(valuesOf(t, "ha"), "tracking", "nameOverride")} {
		objects := render(t, values)
		i := slices.IndexFunc(objects, func(o Object) bool { return o["kind"] == "ServiceMonitor" })
		relabelings, _ := At(objects[i], "spec", "endpoints", 0, "relabelings").([]any)
		job := ""
		for _, one := range relabelings {
			if Text(one, "targetLabel") == "job" && At(one, "sourceLabels") == nil {
				job = Text(one, "replacement")
			}
		}
		if named := `up{job="` + job + `"}`; job == "" || !strings.Contains(string(alerts), named+" == 0 or absent("+named+")") {
			t.Errorf("the job is %q, of which no alert says that it is down, or gone", job)
		}
	}
}

func TestNotesSayWhatIsStillOpen(t *testing.T) {
	for says, values := range map[string]map[string]any{
		"https://mlflow.example.com/callback":   valuesOf(t, "small"),
		"mlflow.example.com/x/callback to":      change(valuesOf(t, "ha"), "http://mlflow:5000/x/", "mlflow", "upstream"),
		"mlflow.example.com/x/login after":      change(valuesOf(t, "ha"), "http://mlflow:5000/x", "mlflow", "upstream"),
		"every pod with one of those addresses": change(valuesOf(t, "small"), []any{}, "networkPolicy", "gateway", "from"),
		"SQLite on the volume":                  valuesOf(t, "small"),
		"a NetworkPolicy keeps its pods":        valuesOf(t, "ha"),
		"see to it that nobody does":            change(valuesOf(t, "ha"), map[string]any{}, "networkPolicy", "mlflow", "podLabels"),
		"every pod of the cluster can reach":    change(valuesOf(t, "ha"), false, "networkPolicy", "enabled"),
		"PUBLIC_URL is not set":                 change(valuesOf(t, "small"), false, "ingress", "enabled"),
	} {
		_, notes, err := Render(dir, values)
		if err != nil || !strings.Contains(notes, says) {
			t.Errorf("where it should say %q: %v\n%s", says, err, notes)
		}
	}
}

// Each gateway answers for itself: MLflow that is away must neither end a pod nor take it out of the Service.
func TestProbesDoNotAskForMLflow(t *testing.T) {
	gateway := one(t, render(t, valuesOf(t, "small")), "Deployment", "mlflow-mlflow-oidc-auth")
	for probe, want := range map[string]string{"startupProbe": "/health/live", "readinessProbe": "/health/ready?without=mlflow", "livenessProbe": "/health/live"} {
		if path := Text(gateway, "spec", "template", "spec", "containers", 0, probe, "httpGet", "path"); path != want {
			t.Errorf("the %s asks for %q", probe, path)
		}
	}
}

// The attack: say, as any pod of the cluster, that a request comes from somebody else.
func TestOnlyTheControllerReachesAGatewayThatBelievesIt(t *testing.T) {
	believing := 0
	for _, file := range []string{"small", "ha", "workspaces"} {
		values := valuesOf(t, file)
		if Text(values, "settings", "TRUSTED_PROXIES") == "" {
			continue
		}
		believing++
		policy := one(t, render(t, values), "NetworkPolicy", "mlflow-mlflow-oidc-auth")
		from, _ := At(policy, "spec", "ingress", 0, "from").([]any)
		if len(from) != 1 || Text(from[0], "namespaceSelector", "matchLabels", "kubernetes.io/metadata.name") != "ingress-nginx" {
			t.Errorf("%s: the gateway is reached from %v", file, from)
		}
		_, notes, err := Render(dir, values)
		if err != nil || strings.Contains(notes, "every pod with one of those addresses") {
			t.Errorf("%s: %v\n%s", file, err, notes)
		}
	}
	if believing < 2 {
		t.Errorf("%d examples have TRUSTED_PROXIES", believing)
	}
}

// Without them the controller refuses what is larger than a megabyte, and keeps or cuts what streams.
func TestIngressesOfNginxHaveTheAnnotationsOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../../docs/proxies.md")
	if err != nil {
		t.Fatal(err)
	}
	comment, err := os.ReadFile(filepath.Join(dir, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(`nginx\.ingress\.kubernetes\.io/([a-z-]+): "?([^"\n]+)`).FindAllStringSubmatch(string(page), -1)
	if len(said) != 6 {
		t.Fatalf("the page has %v", said)
	}
	for _, annotation := range said {
		for _, file := range []string{"small", "ha"} {
			ingress := one(t, render(t, valuesOf(t, file)), "Ingress", "mlflow-mlflow-oidc-auth")
			if got := Text(ingress, "metadata", "annotations", "nginx.ingress.kubernetes.io/"+annotation[1]); got != annotation[2] {
				t.Errorf("%s: %s is %q, want %q", file, annotation[1], got, annotation[2])
			}
		}
		if !strings.Contains(string(comment), annotation[1]) {
			t.Errorf("the comment of values.yaml does not have %s", annotation[1])
		}
	}
}
