--- Shows a few lines beside the cursor until it moves, as Neovim shows a hover.
--- Long lines are wrapped at the width of the window.
local M = {}

local MOST_COLUMNS = 76

--- Shows lines; called again while they are shown, it moves into them.
---@param lines string[]
---@param title string
---@return integer bufnr
---@return integer window
function M.open(lines, title)
  local bufnr, window = vim.lsp.util.open_floating_preview(lines, 'text', {
    focus_id = title,
    border = 'rounded',
    title = (' %s '):format(title),
    max_width = math.max(20, math.min(MOST_COLUMNS, vim.o.columns - 4)),
    wrap = true,
  })
  vim.wo[window].linebreak = true -- between words
  return bufnr, window
end

return M
