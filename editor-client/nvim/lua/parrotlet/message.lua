--- Says sentences to the user, all in the same form.
local M = {}

local PREFIX = 'parrotlet: '

--- Says what has happened, or what was asked for.
---@param sentence string
function M.tell(sentence)
  vim.notify(PREFIX .. sentence, vim.log.levels.INFO)
end

--- Says what is wrong.
---@param sentence string
function M.complain(sentence)
  vim.notify(PREFIX .. sentence, vim.log.levels.ERROR)
end

--- Says what is wrong, unless it has been said: it would come again with each buffer.
---@param sentence string
function M.complain_once(sentence)
  vim.notify_once(PREFIX .. sentence, vim.log.levels.ERROR)
end

return M
