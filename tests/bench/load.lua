-- Load for wrk: bodies and tokens are read from files, one a line, and sent in turn.
-- usage: wrk ... -s load.lua URL -- BODIES TOKENS|- [vary]
-- With `vary`, `__SERIAL__` in the body becomes a number never sent before, so that each document is new.
-- With REST_MS in the environment a connection rests so many milliseconds before each request.
-- At the end one line of JSON tells the counts and the latencies, in microseconds.

local requests, bodies, count, serial, vary, headers = {}, {}, 0, 0, false, {}

local function lines(path)
  local read = {}
  for line in io.lines(path) do read[#read + 1] = line end
  return read
end

local function header(tokens, index)
  local made = {["Content-Type"] = "application/json", ["Accept"] = "application/graphql-response+json"}
  if #tokens > 0 then made["Authorization"] = "Bearer " .. tokens[(index - 1) % #tokens + 1] end
  return made
end

function init(args)
  if args[1] == "get" then
    for _, path in ipairs(lines(args[2])) do requests[#requests + 1] = wrk.format("GET", path) end
    count = #requests
    return
  end
  bodies = lines(args[1])
  local tokens = args[2] ~= "-" and lines(args[2]) or {}
  vary = args[3] == "vary"
  if vary then serial = tonumber(args[4]) end
  count = #bodies
  for index = 1, count do
    headers[index] = header(tokens, index)
    if not vary then requests[index] = wrk.format("POST", "/graphql", headers[index], bodies[index]) end
  end
end

local at = 0

function request()
  at = at % count + 1
  if not vary then return requests[at] end
  serial = serial + 1
  return wrk.format("POST", "/graphql", headers[at], (bodies[at]:gsub("__SERIAL__", tostring(serial))))
end

local rest = tonumber(os.getenv("REST_MS") or "0")

if rest > 0 then
  function delay() return rest end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"duration_us":%d,"bytes":%d,"failed":%d,"status":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, summary.bytes,
    errors.connect + errors.read + errors.write + errors.timeout, errors.status,
    latency:percentile(50.0), latency:percentile(99.0)))
end
