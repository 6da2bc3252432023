{{- /* Text of a value: numbers of a values file are floating point, and must not become 1.6777216e+07. */}}
{{- define "text" -}}
{{- if kindIs "float64" . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- /* "true" where the users database is a file. One from a secret is taken for one on a server: gateways say no if they cannot reach it. */}}
{{- define "gateway.sqlite" -}}
{{- $uri := toString (default "" .Values.settings.OIDC_USERS_DB_URI) }}
{{- if not (or (has "OIDC_USERS_DB_URI" .Values.existingSecret.keys) (and $uri (not (hasPrefix "sqlite" $uri)))) }}true{{ end }}
{{- end }}

{{- define "gateway.sessionsInFiles" -}}
{{- if eq "filesystem" (toString (default "filesystem" .Values.settings.SESSION_TYPE)) }}true{{ end }}
{{- end }}

{{- define "gateway.needsVolume" -}}
{{- if or (include "gateway.sqlite" .) (include "gateway.sessionsInFiles" .) }}true{{ end }}
{{- end }}

{{- define "gateway.several" -}}
{{- if or (gt (int .Values.replicaCount) 1) .Values.autoscaling.enabled }}true{{ end }}
{{- end }}

{{- define "gateway.upstream" -}}
{{- if .Values.mlflow.deploy }}
{{- printf "http://%s-mlflow:5000" (include "gateway.fullname" .) }}
{{- else }}
{{- .Values.mlflow.upstream }}
{{- end }}
{{- end }}

{{- define "gateway.scheme" -}}
{{- if .Values.settings.TLS_CERT_FILE }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}

{{- /* What would not work, or not safely, stops the rendering. */}}
{{- define "gateway.guard" -}}
{{- if not .Values.image.repository }}
{{- fail "image.repository is not set: it is the registry and name under which you pushed the image" }}
{{- end }}
{{- if not .Values.existingSecret.name }}
{{- fail "existingSecret.name is not set: it is a Secret that you make, with SECRET_KEY, OIDC_CLIENT_SECRET and the like" }}
{{- end }}
{{- if eq (empty .Values.mlflow.upstream) (not .Values.mlflow.deploy) }}
{{- fail "set either mlflow.upstream, the address of an MLflow server, or mlflow.deploy: true" }}
{{- end }}
{{- if and .Values.mlflow.deploy (not .Values.mlflow.image.repository) }}
{{- fail "mlflow.image.repository is not set: it is the registry and name of an image with MLflow" }}
{{- end }}
{{- if and .Values.mlflow.deploy (not .Values.mlflow.persistence.enabled) (not (and .Values.mlflow.existingSecret .Values.mlflow.artifactsDestination)) }}
{{- fail "without mlflow.persistence all that MLflow keeps would be gone with its pod: set mlflow.existingSecret and mlflow.artifactsDestination" }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.networkPolicy.enabled (not .Values.networkPolicy.gateway.metricsFrom) }}
{{- fail "networkPolicy.gateway.metricsFrom is not set: it names the Prometheus that may read the metrics" }}
{{- end }}
{{- if and .Values.networkPolicy.enabled .Values.networkPolicy.mlflow.podLabels (not .Values.mlflow.deploy) }}
{{- $host := (urlParse .Values.mlflow.upstream).hostname }}
{{- $here := printf `^[^.]+(\.%[1]s|(\.[^.]+)?\.%[1]s\.svc(\..*)?)?$` .Release.Namespace }}
{{- if not (or (regexMatch $here $host) (regexMatch `^[0-9.]+$|:` $host)) }}
{{- fail (printf "networkPolicy.mlflow.podLabels are of pods in the namespace %s, where %s is not: leave them empty, and let the gateway alone reach MLflow by a NetworkPolicy in its own namespace" .Release.Namespace $host) }}
{{- end }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}
{{- fail "ingress.host is not set: it is the host that people use" }}
{{- end }}
{{- range $name := .Values.existingSecret.keys }}
{{- if hasKey $.Values.settings $name }}
{{- fail (printf "%s is in settings and in existingSecret.keys; leave one of them out" $name) }}
{{- end }}
{{- end }}
{{- if regexMatch "://[^:/@]*:[^@]*@" (toString (default "" .Values.settings.OIDC_USERS_DB_URI)) }}
{{- fail "OIDC_USERS_DB_URI has a password, which whoever may read a Deployment would see; put it into existingSecret and its name into existingSecret.keys" }}
{{- end }}
{{- if include "gateway.several" . }}
{{- if include "gateway.sqlite" . }}
{{- fail "several gateways cannot share SQLite: set OIDC_USERS_DB_URI to a PostgreSQL or MySQL, or name it in existingSecret.keys" }}
{{- end }}
{{- if include "gateway.sessionsInFiles" . }}
{{- fail "several gateways cannot share sessions in files: set SESSION_TYPE to redis or database" }}
{{- end }}
{{- end }}
{{- $grace := int (include "text" (default 30 .Values.settings.SHUTDOWN_GRACE_SECONDS)) }}
{{- if lt (int .Values.terminationGracePeriodSeconds) (add $grace 10 | int) }}
{{- fail (printf "terminationGracePeriodSeconds is less than SHUTDOWN_GRACE_SECONDS (%d) and 10 more; requests in flight would be cut off" $grace) }}
{{- end }}
{{- end }}

{{- /* The environment of the gateway. Of the names that are the chart's own the schema refuses those in settings. */}}
{{- define "gateway.env" -}}
{{- $settings := deepCopy .Values.settings }}
{{- if and .Values.ingress.enabled (not $settings.PUBLIC_URL) }}
{{- $_ := set $settings "PUBLIC_URL" (printf "https://%s" .Values.ingress.host) }}
{{- end }}
{{- if and (include "gateway.sqlite" .) (not $settings.OIDC_USERS_DB_URI) }}
{{- $_ := set $settings "OIDC_USERS_DB_URI" "sqlite:////var/lib/mlflow-oidc-auth/auth.db" }}
{{- end }}
{{- if and (include "gateway.sessionsInFiles" .) (not $settings.SESSION_FILE_DIR) }}
{{- $_ := set $settings "SESSION_FILE_DIR" "/var/lib/mlflow-oidc-auth/sessions" }}
{{- end }}
{{- $_ := set $settings "LISTEN_ADDR" ":8080" }}
{{- $_ := set $settings "MLFLOW_UPSTREAM" (include "gateway.upstream" .) }}
{{- if .Values.metrics.enabled }}
{{- $_ := set $settings "METRICS_ADDR" (printf ":%d" (int .Values.metrics.port)) }}
{{- end }}
{{- range $name, $value := $settings }}
- name: {{ $name }}
  value: {{ include "text" $value | quote }}
{{- end }}
{{- range $name := .Values.existingSecret.keys }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.existingSecret.name }}
      key: {{ $name }}
{{- end }}
{{- end }}
