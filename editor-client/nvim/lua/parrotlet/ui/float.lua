--- Shows lines in a floating window that closes when the cursor moves, like Neovim's hover.
local M = {}

local MAX_COLUMNS = 76
local MIN_COLUMNS = 20

--- Opens the window; called again while it is open, moves the cursor into it.
---@param lines string[]
---@param title string
---@return integer bufnr
---@return integer window
function M.open(lines, title)
  local bufnr, window = vim.lsp.util.open_floating_preview(lines, 'text', {
    focus_id = title,
    border = 'rounded',
    title = (' %s '):format(title),
    max_width = math.max(MIN_COLUMNS, math.min(MAX_COLUMNS, vim.o.columns - 4)),
    wrap = true,
  })
  vim.wo[window].linebreak = true
  return bufnr, window
end

return M
