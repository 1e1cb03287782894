--- The logs of the server and of its installation: files of their own, shown in a window.
---
--- What the server writes to stderr would otherwise end, quoted, in the log that all of Neovim's
--- language servers share. Called by `parrotlet.server.client` and `parrotlet.command`.
local M = {}

local MOST_BYTES = 1024 * 1024 -- then a new file is begun and the old one kept aside

--- The log's file.
---@return string
function M.path()
  return vim.fs.joinpath(vim.fn.stdpath('log') --[[@as string]], 'parrotlet-server.log')
end

--- Returns a command that runs `command` with its stderr in the log.
---@param command string[]
---@return string[]
function M.redirected(command)
  if vim.fn.executable('sh') == 0 then
    return command -- then it ends in Neovim's own log
  end
  local path = M.path()
  vim.fn.mkdir(vim.fs.dirname(path), 'p')
  local stat = vim.uv.fs_stat(path)
  if stat and stat.size > MOST_BYTES then
    vim.uv.fs_rename(path, path .. '.old')
  end
  local file = io.open(path, 'a')
  if not file then
    return command
  end
  file:write(('%s starting %s\n'):format(os.date('%F %T'), table.concat(command, ' ')))
  file:close()
  local script = 'log=$1; shift; exec "$@" 2>>"$log"'
  return vim.list_extend({ 'sh', '-c', script, 'sh', path }, command)
end

--- Shows a log, its end first.
---@param is_of_install? boolean The installation's, not the server's.
function M.open(is_of_install)
  local path = is_of_install and require('parrotlet.install.process').log_path() or M.path()
  if not vim.uv.fs_stat(path) then
    require('parrotlet.ui.message').tell('the log is empty')
    return
  end
  vim.cmd.split({ vim.fn.fnameescape(path) })
  vim.bo.autoread = true
  vim.bo.modifiable = false
  vim.cmd.normal({ 'G', bang = true })
end

return M
