-- Numbers invalidations.
local meta, log, marks = KEYS[1], KEYS[2], KEYS[3]
local my_epoch, most_marks, most_log = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local head = redis.call('HMGET', meta, 'epoch', 'seq', 'floor', 'marks')
if head[1] ~= my_epoch or redis.call('ZCARD', marks) ~= tonumber(head[4]) then return { 'epoch' } end
local first, floor = tonumber(head[2]) + 1, tonumber(head[3])
local seq = first - 1
for at = 4, #ARGV, 3 do
  seq = seq + 1
  redis.call('XADD', log, 'MAXLEN', '~', most_log, seq .. '-1', 't', ARGV[at], 's', ARGV[at + 1], 'i', ARGV[at + 2])
  redis.call('ZADD', marks, seq, ARGV[at + 1])
end
local count = redis.call('ZCARD', marks)
if count > most_marks then
  -- The older half goes; entries that knew less than the floor are no longer served by anyone.
  local middle = math.floor(count / 2)
  floor = tonumber(redis.call('ZRANGE', marks, middle, middle, 'WITHSCORES')[2])
  redis.call('ZREMRANGEBYSCORE', marks, '-inf', floor)
  count = redis.call('ZCARD', marks)
end
redis.call('HSET', meta, 'seq', seq, 'floor', floor, 'marks', count)
-- No gateway has heard these, whatever it said before the store lost other numbers.
local fields = redis.call('HGETALL', meta)
for at = 1, #fields, 2 do
  if string.sub(fields[at], 1, 2) == 'p:' then
    local deadline, its_heard, rest = string.match(fields[at + 1], '^(%d+);(%d+)(;.*)$')
    if its_heard and tonumber(its_heard) >= first then
      redis.call('HSET', meta, fields[at], deadline .. ';' .. (first - 1) .. rest)
    end
  end
end
return { 'ok', first, seq, floor }
