// The image's HEALTHCHECK: the image has neither curl nor a shell. Ends with 0 if the server answers on PORT.
// It goes by the environment, so a port from --port or a configuration file has to be in PORT, too.
const response = await fetch(`http://127.0.0.1:${process.env.PORT ?? 5000}/livez`, {
  signal: AbortSignal.timeout(2_000),
})
process.exitCode = response.ok ? 0 : 1
