-- Registers a gateway, and tells it what it has not heard. Everything of the agreement is in one slot.
local meta, log, marks = KEYS[1], KEYS[2], KEYS[3]
local id, name, my_epoch = ARGV[1], ARGV[2], ARGV[3]
local heard, token, lease = tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local exclusive, proposal, most, origin, key = ARGV[7], ARGV[8], tonumber(ARGV[9]), ARGV[10], ARGV[11]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local head = redis.call('HMGET', meta, 'epoch', 'seq', 'floor', 'marks', 'born', 'run', 'lease', 'key')
-- Gateways may ask for leases of different length: the longest counts.
local longest = math.max(lease, tonumber(head[7] or 0))
local epoch, seq, floor = head[1], tonumber(head[2] or 0), tonumber(head[3] or 0)
local born = tonumber(head[5] or 0)
-- Numbers that were assigned are lost if there are none, if marks are missing, or if this gateway heard others.
local lost = not epoch or redis.call('ZCARD', marks) ~= tonumber(head[4] or 0)
if not lost and epoch == my_epoch and heard > 0 then
  if heard > seq then
    lost = true
  elseif token ~= '' then
    local at = redis.call('XRANGE', log, heard .. '-1', heard .. '-1')
    lost = at[1] ~= nil and at[1][2][2] ~= token
  end
end
-- Gateways with different keys name scopes and entries differently, so they cannot hear each other. The key may be changed
-- once no gateway with the old one is live; what was numbered under that means nothing any more.
if head[8] and head[8] ~= key then
  local states = redis.call('HGETALL', meta)
  for at = 1, #states, 2 do
    local deadline, alone, its_name = string.match(states[at + 1], '^(%d+);%d+;%d+;(%d);(.*)$')
    if string.sub(states[at], 1, 2) == 'p:' and states[at] ~= 'p:' .. id and tonumber(deadline or 0) > now then
      return { (exclusive == '1' or alone == '1') and 'taken' or 'key', its_name }
    end
  end
  lost = true
end
if lost then
  redis.call('DEL', meta, log, marks)
  epoch, seq, floor, born = proposal, 0, 0, now
  redis.call('HSET', meta, 'format', 1, 'epoch', epoch, 'seq', 0, 'floor', 0, 'marks', 0, 'born', now)
end
if lost or not head[8] then redis.call('HSET', meta, 'key', key) end
-- Another process than before: a restart or a failover, which may have lost leases.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
if run ~= head[6] or lost then
  born = now
  redis.call('HSET', meta, 'run', run, 'born', now)
end
if epoch ~= my_epoch then heard = 0 end
local acked, peers, mine, taken, live = seq, {}, nil, nil, {}
local fields = redis.call('HGETALL', meta)
for at = 1, #fields, 2 do
  if string.sub(fields[at], 1, 2) == 'p:' then
    local peer = string.sub(fields[at], 3)
    local deadline, its_heard, seen, alone, its_name = string.match(fields[at + 1], '^(%d+);(%d+);(%d+);(%d);(.*)$')
    deadline, its_heard = tonumber(deadline or 0), tonumber(its_heard or 0)
    if peer == id then
      mine = { deadline, tonumber(seen or 0), its_name or '' }
    elseif deadline > now then
      if exclusive == '1' or alone == '1' then taken = its_name end
      acked = math.min(acked, its_heard)
      live[peer] = true
      peers[#peers + 1] = { peer, its_name, its_heard, deadline - now }
    elseif deadline + 3600000 < now then
      redis.call('HDEL', meta, fields[at], 'o:' .. peer)
    else
      peers[#peers + 1] = { peer, its_name or '', its_heard, 0 }
    end
  end
end
-- Two processes with one identity, for example of a copied data directory: the second waits until the first is gone.
local owner = redis.call('HGET', meta, 'o:' .. id)
if mine and mine[1] > now and owner and owner ~= origin then taken = mine[3] end
if taken then return { 'taken', taken } end
-- A gateway that does not hear what it was told a heartbeat ago does not go on as live.
local renewed = (not mine) or heard >= mine[2] or epoch ~= my_epoch
local deadline = renewed and now + lease or mine[1]
local state = string.format('%d;%d;%d;%s;%s', deadline, heard, seq, exclusive, name)
redis.call('HSET', meta, 'p:' .. id, state, 'o:' .. id, origin, 'lease', longest)
-- Gateways whose leases were lost may serve until those would have ended.
if exclusive ~= '1' and now < born + longest then acked = 0 end
-- One gateway leads. Another takes over once its lease has ended, and none while leases that were lost may hold.
local leader = redis.call('HGET', meta, 'leader') or ''
if now < born + longest then
  leader = ''
elseif leader ~= id and not live[leader] then
  leader = renewed and id or ''
  redis.call('HSET', meta, 'leader', leader)
end
local entries, gap = {}, 0
if epoch == my_epoch and heard < seq then
  entries = redis.call('XRANGE', log, (heard + 1) .. '-1', '+', 'COUNT', most)
  if not entries[1] or entries[1][1] ~= (heard + 1) .. '-1' then entries, gap = {}, 1 end
end
return { 'ok', now, epoch, seq, floor, renewed and 1 or 0, gap, acked, peers, entries, longest, leader }
