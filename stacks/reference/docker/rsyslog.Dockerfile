# rsyslog with its Elasticsearch output, which the distribution keeps in a package of its own. Runs as any user.
ARG DEBIAN_IMAGE=debian:bookworm-20250520-slim
FROM ${DEBIAN_IMAGE}
RUN command -v rsyslogd >/dev/null && ls /usr/lib/*/rsyslog/omelasticsearch.so >/dev/null 2>&1 \
 || { apt-get update -q && apt-get install -qy --no-install-recommends rsyslog rsyslog-elasticsearch \
      && rm -rf /var/lib/apt/lists/*; }
RUN mkdir -p /var/spool/ml-shipper/state && chown -R 10001:10001 /var/spool/ml-shipper
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["rsyslogd"]
CMD ["-n", "-f", "/etc/ml-shipper/rsyslog.conf", "-i", "/var/spool/ml-shipper/rsyslogd.pid"]
