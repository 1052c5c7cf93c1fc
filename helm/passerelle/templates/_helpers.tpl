{{/* One name for all objects of a release; two releases never collide. */}}
{{- define "passerelle.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What makes a pod one of this release: policies select by it, so it never changes. */}}
{{- define "passerelle.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "passerelle.labels" -}}
{{ include "passerelle.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: daily-run
app.kubernetes.io/part-of: passerelle
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "passerelle.claim" -}}
{{ .Values.workspace.existingClaim | default (printf "%s-workspace" (include "passerelle.name" .)) }}
{{- end }}
