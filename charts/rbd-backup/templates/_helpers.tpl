{{/* The name of everything that this release makes. */}}
{{- define "rbd-backup.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "rbd-backup.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "rbd-backup.labels" -}}
{{ include "rbd-backup.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "rbd-backup.serviceAccountName" -}}
{{- default (ternary (include "rbd-backup.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{/* rbdbackup.conf: the values' sections, with what the chart knows itself set over them. toJson: Helm would write 1000000 as 1e+06. */}}
{{- define "rbd-backup.conf" -}}
{{- $own := dict "ceph" (dict "conf" "/etc/ceph/ceph.conf") "http" (dict "host" "0.0.0.0" "port" .Values.http.port) -}}
{{- range $name, $_ := .Values.ceph.clusters -}}
{{- $own = set $own (printf "ceph:%s" $name) (dict "conf" (printf "/etc/ceph/%s.conf" $name) "cluster" $name) -}}
{{- end -}}
{{- range $section, $options := mustMergeOverwrite (deepCopy .Values.config) $own }}
[{{ $section }}]
{{- range $name, $value := $options }}
{{- range ternary $value (list $value) (kindIs "slice" $value) }}
{{ $name }} = {{ ternary (toJson .) . (kindIs "float64" .) }}
{{- end }}
{{- end }}
{{ end }}
{{- end -}}

{{/*
The pod that runs `rbdbackup` with the given arguments, and before that, if there are any, with those of "initArgs":
(dict "root" $ "initArgs" (list …) "args" (list …) "container" (dict of both containers' further fields)).
*/}}
{{- define "rbd-backup.podSpec" -}}
{{- $root := .root -}}
serviceAccountName: {{ include "rbd-backup.serviceAccountName" $root }}
automountServiceAccountToken: false
enableServiceLinks: false
hostNetwork: {{ $root.Values.hostNetwork }}
{{- if $root.Values.hostNetwork }}
dnsPolicy: ClusterFirstWithHostNet
{{- end }}
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .initArgs }}
initContainers:
  - name: {{ first . }}
    {{- include "rbd-backup.container" (dict "root" $root "args" . "container" $.container) | nindent 4 }}
{{- end }}
containers:
  - name: {{ first .args }}
    {{- include "rbd-backup.container" . | nindent 4 }}
volumes:
  - name: config
    configMap:
      name: {{ include "rbd-backup.fullname" $root }}
  - name: ceph
    projected:
      # Ceph's files in one folder, where its clients look for them; readable by the pod's group alone.
      defaultMode: 0440
      sources:
        - configMap:
            name: {{ required "ceph.confConfigMap must name a ConfigMap with ceph.conf" $root.Values.ceph.confConfigMap }}
        - secret:
            name: {{ required "ceph.keyringSecret must name a Secret with the keyrings" $root.Values.ceph.keyringSecret }}
        {{- range $name, $cluster := $root.Values.ceph.clusters }}
        - configMap:
            name: {{ required (printf "ceph.clusters.%s.confConfigMap must name a ConfigMap with ceph.conf" $name) $cluster.confConfigMap }}
            items:
              - key: ceph.conf
                path: {{ $name }}.conf
        - secret:
            name: {{ required (printf "ceph.clusters.%s.keyringSecret must name a Secret with the keyrings" $name) $cluster.keyringSecret }}
        {{- end }}
  - name: state
    emptyDir: {}
  - name: tmp
    emptyDir: {}
{{- range $field := list "nodeSelector" "tolerations" "affinity" }}
{{- with index $root.Values $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A container without its name: (dict "root" $ "args" (list …) "container" (dict of further fields)). */}}
{{- define "rbd-backup.container" -}}
{{- $root := .root -}}
image: "{{ $root.Values.image.repository }}:{{ default $root.Chart.AppVersion $root.Values.image.tag }}"
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
command: ["rbdbackup"]
args: {{ toJson .args }}
env:
  - name: TZ
    value: {{ $root.Values.timeZone | quote }}
{{- with $root.Values.secrets.envFrom }}
envFrom:
  {{- range . }}
  - secretRef:
      name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- toYaml $root.Values.securityContext | nindent 2 }}
{{ toYaml .container }}
volumeMounts:
  - name: config
    mountPath: /etc/rbdbackup
    readOnly: true
  - name: ceph
    mountPath: /etc/ceph
    readOnly: true
  - name: state
    mountPath: /var/lib/rbdbackup
  - name: tmp
    mountPath: /tmp
{{- end -}}
