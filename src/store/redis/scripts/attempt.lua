-- KEYS the counters · ARGV: now, then for each key: free, first wait, longest wait, window, margin.
-- A counter is "count until forget". Returns the end of the wait, or 0 if the attempt was taken.
local now = tonumber(ARGV[1])
local counts, waits = {}, 0
for i, key in ipairs(KEYS) do
  local known = redis.call('GET', key)
  counts[i] = 0
  if known then
    local count, ends, forget = string.match(known, '^(%d+) (%-?%d+) (%-?%d+)$')
    if tonumber(ends) > now and tonumber(ends) > waits then waits = tonumber(ends) end
    if tonumber(forget) > now then counts[i] = tonumber(count) end
  end
end
if waits > 0 then return string.format('%.0f', waits) end
for i, key in ipairs(KEYS) do
  local at = 2 + (i - 1) * 5
  local free, first, longest, window, margin = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local count = math.min(counts[i] + 1, 4294967295)
  local wait = 0
  if count >= free then wait = math.min(first * 2 ^ math.min(count - free, 40), longest) end
  local forget = math.max(now + wait, now + window)
  redis.call('SET', key, string.format('%.0f %.0f %.0f', count, now + wait, forget), 'PX', string.format('%.0f', forget - now + margin))
end
return '0'
