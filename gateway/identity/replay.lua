-- Remember a proof, in the memory that it is meant for.
--
-- KEYS: the memory's mark; the proof. ARGV: the memory that is asked; a mark for a memory that has none; for how many
-- milliseconds the proof is remembered.
-- A run that was emptied has no mark, and one that came back from its disk has the mark of an earlier run: so both are
-- in the name.
-- Answers 1 where the proof is new, 0 where it was taken, or the name of the memory, where it is another.

redis.call('SET', KEYS[1], ARGV[2], 'NX')
local memory = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') .. redis.call('GET', KEYS[1])
if memory ~= ARGV[1] then return memory end
return redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[3]) and 1 or 0
