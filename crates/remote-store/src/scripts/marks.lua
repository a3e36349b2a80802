-- All marks above a number, the token of the newest number, and what of the last numbers may still hold something back.
local meta, log, marks = KEYS[1], KEYS[2], KEYS[3]
local head = redis.call('HMGET', meta, 'epoch', 'seq', 'floor')
local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', tonumber(ARGV[2]))
local token = ''
if newest[1] and newest[1][1] == head[2] .. '-1' then token = newest[1][2][2] end
local above = redis.call('ZRANGEBYSCORE', marks, '(' .. ARGV[1], '+inf', 'WITHSCORES')
return { head[1], tonumber(head[2]), tonumber(head[3]), token, above, newest }
