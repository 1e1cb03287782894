--- `:checkhealth parrotlet`: what works, what is missing, and what to do.
local M = {}

local VERSION_TIMEOUT_MS = 20000
local REQUEST_TIMEOUT_MS = 5000

local function check_neovim()
  if vim.fn.has('nvim-0.11') == 1 then
    vim.health.ok('Neovim ' .. tostring(vim.version()))
    return true
  end
  vim.health.error('this Neovim is too old', { 'Install Neovim 0.11 or newer.' })
  return false
end

--- Lists the options that differ from the defaults.
---@return parrotlet.Options?
local function check_options()
  local config = require('parrotlet.config')
  local options = config.options
  if not options then
    vim.health.error('setup() was given a wrong option', { 'Run :Parrotlet messages.' })
    return
  end
  local is_changed = false
  for name, value in vim.spairs(options) do
    if not vim.deep_equal(value, config.defaults[name]) then
      is_changed = true
      local text = vim.inspect(value, { newline = ' ', indent = '' })
      vim.health.info(('option %s = %s'):format(name, text))
    end
  end
  vim.health.ok(is_changed and 'options are valid' or 'options are valid (all defaults)')
  return options
end

--- Lists the places that were searched without success.
local function build_missing_advice()
  local advice = { 'Run :Parrotlet install.' }
  for _, candidate in ipairs(require('parrotlet.server.discovery').list_candidates()) do
    advice[#advice + 1] = 'Not found: ' .. candidate.place
  end
  return advice
end

---@param options parrotlet.Options
local function check_server(options)
  local command, err = require('parrotlet.server.discovery').find(options.server)
  if not command then
    vim.health.error(assert(err), not options.server[1] and build_missing_advice() or nil)
    return
  end
  local text = table.concat(command, ' ')
  local arguments = vim.list_extend(vim.list_slice(command), { '--version' })
  local is_started, result = pcall(function()
    return vim.system(arguments, { text = true, timeout = VERSION_TIMEOUT_MS }):wait()
  end)
  if not is_started or result.code ~= 0 then
    local output = is_started and vim.trim(result.stderr or '') or tostring(result)
    local advice = { 'Run :Parrotlet install, or fix the server option.' }
    vim.health.error(('%s does not start: %s'):format(text, output), advice)
    return
  end
  vim.health.ok(('server %s, version %s'):format(text, vim.trim(result.stdout)))
end

--- Shows the running server's report.
---@param client vim.lsp.Client
local function check_running_server(client)
  local params = { command = 'parrotlet.health' }
  local answer = client:request_sync('workspace/executeCommand', params, REQUEST_TIMEOUT_MS)
  local facts = answer and answer.result
  if type(facts) ~= 'table' then
    vim.health.warn('the server runs but does not answer', { 'Run :Parrotlet restart.' })
    return
  end
  local count = vim.tbl_count(client.attached_buffers)
  vim.health.ok(('server running for %d %s'):format(count, count == 1 and 'file' or 'files'))
  for _, line in ipairs(require('parrotlet.ui.report').format_rows(facts.report)) do
    vim.health.info(line)
  end
end

--- Returns the buffer that was current before the report.
local function get_edited_buffer()
  local alternate = vim.fn.bufnr('#')
  return alternate > 0 and alternate or vim.api.nvim_get_current_buf()
end

local function check_client()
  local client = require('parrotlet.server.client').get()
  if client then
    check_running_server(client)
  else
    vim.health.info('the server is not running; it starts with the first supported file')
  end
  vim.health.info('status: ' .. require('parrotlet.ui.status').describe(get_edited_buffer()))
  vim.health.info('log: ' .. require('parrotlet.server.log').get_path())
end

local function check_keys()
  for _, line in ipairs(require('parrotlet.suggestions.keymap').list_keys(get_edited_buffer())) do
    vim.health.info(line)
  end
end

--- Lists the completion menus that suggestions work with.
local function check_menus()
  local found = vim.tbl_filter(function(name)
    return package.loaded[name] ~= nil
  end, { 'cmp', 'blink.cmp' })
  local list = table.concat(vim.list_extend({ 'built-in' }, found), ', ')
  vim.health.info('completion menus: ' .. list)
end

function M.check()
  vim.health.start('parrotlet')
  if not check_neovim() then
    return
  end
  local options = check_options()
  if options then
    check_server(options)
    check_client()
    check_menus()
    vim.health.start('parrotlet: keys')
    check_keys()
  end
end

return M
