--- Shows a few lines beside the cursor until it moves, as Neovim shows a hover.
local M = {}

local MOST_COLUMNS = 84

--- Shows lines; called again while they are shown, it moves into them.
---@param lines string[]
---@param title string
---@return integer bufnr
---@return integer window
function M.open(lines, title)
  local bufnr, window = vim.lsp.util.open_floating_preview(lines, 'text', {
    focus_id = 'parrotlet.' .. title,
    border = 'rounded',
    title = (' %s '):format(title),
    max_width = MOST_COLUMNS,
    wrap = true,
  })
  return bufnr, window
end

return M
