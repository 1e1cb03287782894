--- The logs of the server and of its installation: files of their own, shown in a window.
---
--- Without a file of its own, what the server writes to stderr would end up, quoted, in the log
--- that all language servers share. Called by `parrotlet.server.client` and `parrotlet.command`.
local M = {}

local MAX_BYTES = 1024 * 1024 -- then the log is set aside and a new one begun

--- Returns the file of the server's log.
---@return string
function M.get_path()
  return vim.fs.joinpath(vim.fn.stdpath('log') --[[@as string]], 'parrotlet-server.log')
end

--- Returns a command that runs `command` with its stderr appended to the log.
---@param command string[]
---@return string[]
function M.redirect_stderr(command)
  if vim.fn.executable('sh') == 0 then
    return command -- its output goes to Neovim's own log
  end
  local path = M.get_path()
  vim.fn.mkdir(vim.fs.dirname(path), 'p')
  local stat = vim.uv.fs_stat(path)
  if stat and stat.size > MAX_BYTES then
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

--- Opens a log, with the cursor at its end.
---@param is_install_log? boolean The installation's log instead of the server's.
function M.open(is_install_log)
  local path = is_install_log and require('parrotlet.install.process').get_log_path()
    or M.get_path()
  if not vim.uv.fs_stat(path) then
    require('parrotlet.ui.message').info('the log is empty')
    return
  end
  vim.cmd.split({ vim.fn.fnameescape(path) })
  vim.bo.autoread = true
  vim.bo.modifiable = false
  vim.cmd.normal({ 'G', bang = true })
end

return M
