# As python: `python` on the PATH, no entry point.
ARG BASE
FROM ${BASE}
RUN ln -sf /usr/bin/python3 /usr/local/bin/python && ln -sf /usr/bin/python3 /usr/local/bin/python3
CMD ["python3"]
