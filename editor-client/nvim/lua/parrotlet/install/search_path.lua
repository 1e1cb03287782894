--- Finds programs on the PATH.
---
--- Relative entries are skipped: they may lead into the project that is being edited, where Windows
--- even looks first. Called by `parrotlet.install.python` and `parrotlet.server.discovery`.
local M = {}

local SEPARATOR = vim.fn.has('win32') == 1 and ';' or ':'

--- Returns the first program of a name that is accepted.
---@param name string
---@param is_accepted fun(path: string): boolean
---@return string? path
function M.find(name, is_accepted)
  for folder in vim.gsplit(vim.env.PATH or '', SEPARATOR, { plain = true }) do
    local path = vim.fs.joinpath(folder, name)
    local is_absolute = folder:match('^/') or folder:match('^%a:[/\\]')
    if is_absolute and vim.fn.executable(path) == 1 and is_accepted(path) then
      return path
    end
  end
end

return M
