-- One reservation: frequency and quotas of all of an inquiry's subjects, looked at and marked as one (see shared.py).
--
-- KEYS: whose counts these are; what they were filled for; the inquiry's reference; each subject's frequency; each
-- window's subjects.
-- ARGV: now; '1' to fill from the ledger, '2' to look first whether this very run of Valkey was filled; whose; filled
-- for; for how long a reference is remembered ('0': it has none); the inquiry; how many subjects; the frequency's most;
-- until when it counts; the subjects; per window its most, and until when it counts.
-- A run that came back from its disk has what an earlier one was filled for, and lacks what was counted last.
-- Times are whole microseconds. A member's score is the time until which it counts.
-- Answers 'counted' | 'retry' | 'foreign' | 'unfilled' | {'frequency', until} | {window's number, until}.

local now, filling, looking = tonumber(ARGV[1]), ARGV[2] == '1', ARGV[2] == '2'
local subjects = tonumber(ARGV[7])
local LEASE, MARGIN = 120, 60000

local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[3] then return 'foreign' end
redis.call('SET', KEYS[1], ARGV[3], 'EX', LEASE)
if looking then
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  if redis.call('SISMEMBER', KEYS[2], ARGV[4] .. run) == 0 then redis.call('DEL', KEYS[2]) end
end
if not filling and redis.call('SISMEMBER', KEYS[2], ARGV[4]) == 0 then return 'unfilled' end

local referred = ARGV[5] ~= '0'
if referred then
  local seen = redis.call('GET', KEYS[3])
  if seen and now - tonumber(seen) < tonumber(ARGV[5]) then return 'retry' end
end

local function text(time) return string.format('%.0f', time) end

-- Until when a key's last member counts is when it may go. In a fill `now` is past, so that keys stay rather too long.
local function keep(key, until_)
  local milliseconds = math.ceil((until_ - now) / 1000) + MARGIN
  if redis.call('PTTL', key) < milliseconds then redis.call('PEXPIRE', key, text(milliseconds)) end
end

local most, full = tonumber(ARGV[8]), nil
for i = 1, subjects do
  local key = KEYS[3 + i]
  if not filling then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', ARGV[1])
    local count = redis.call('ZCARD', key)
    if count >= most then
      local free = tonumber(redis.call('ZRANGE', key, count - most, count - most, 'WITHSCORES')[2])
      if not full or free > full then full = free end
    end
  end
end
if full then return {'frequency', text(full)} end

local windows = #KEYS - 3 - subjects
if not filling then
  for w = 1, windows do
    local key, allowed, ends = KEYS[3 + subjects + w], tonumber(ARGV[8 + subjects + 2 * w]), ARGV[9 + subjects + 2 * w]
    redis.call('ZREMRANGEBYSCORE', key, '-inf', ARGV[1])
    local asked, new = {}, 0
    for i = 1, subjects do
      asked[ARGV[9 + i]] = true
      if not redis.call('ZSCORE', key, ARGV[9 + i]) then new = new + 1 end
    end
    local surplus = redis.call('ZCARD', key) + new - allowed
    if new > 0 and surplus > 0 then
      local seen = redis.call('ZRANGE', key, 0, surplus + subjects, 'WITHSCORES')
      for i = 1, #seen, 2 do
        if not asked[seen[i]] then
          surplus = surplus - 1
          if surplus == 0 then return {tostring(w), text(tonumber(seen[i + 1]))} end
        end
      end
      return {tostring(w), ends}
    end
  end
end

for i = 1, subjects do
  local key, until_ = KEYS[3 + i], tonumber(ARGV[9])
  local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]
  -- No inquiry counts no longer than those made before it.
  if last and tonumber(last) > until_ then until_ = tonumber(last) end
  redis.call('ZADD', key, 'NX', text(until_), ARGV[6])
  keep(key, until_)
end
for w = 1, windows do
  local key, ends = KEYS[3 + subjects + w], ARGV[9 + subjects + 2 * w]
  for i = 1, subjects do redis.call('ZADD', key, 'GT', ends, ARGV[9 + i]) end
  keep(key, tonumber(ends))
end
if referred then redis.call('SET', KEYS[3], ARGV[1], 'PX', text(math.ceil(tonumber(ARGV[5]) / 1000) + MARGIN)) end
return 'counted'
